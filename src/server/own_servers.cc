#include "server/own_servers.h"

#include "base/assert.h"
#include "control/forward.h"
#include "control/otlp.h"
#include "control/store/store.h"
#include "http/syntax.h"
#include "journal/format.h"
#include "json/document.h"
#include "server/budgets.h"
#include "server/data_directory.h"
#include "server/helper_thread.h"
#include "server/settings.h"
#include "server/trial.h"
#include "subscription/token.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::server {
namespace {

using subscription::Scope;
using subscription::Token;
using Verdict = Finding::Verdict;

constexpr std::chrono::hours certificate_renewal{24 * 21};
constexpr std::chrono::hours token_renewal{24 * 7};
/// Beside `/v1/events`: who a token belongs to.
constexpr std::string_view events_path = "events";
constexpr std::string_view session_path = "session";

std::string date_of(WallTime time) {
  return to_rfc3339(time).substr(0, 10);
}

std::string status_text(const TrialAnswer& answer, std::string_view asked) {
  std::string text = "HTTP " + std::to_string(answer.status);
  if (!answer.location.empty()) text += ", which leads to " + answer.location.substr(0, 200) + ",";
  return text + " to " + std::string{asked} + " after " + in_ms(answer.took);
}

void append(Findings& findings, Findings&& more) {
  std::ranges::move(more, std::back_inserter(findings));
}

// --- the central relay ---------------------------------------------------------------------------

constexpr const char* token_advice =
    "make one at the central relay, `ringpost token add --name NAME --scope events:write --scope "
    "deliveries:read`, write it to forward.token_file, then: ringpost reload";

std::string text_at(json::Document& document, std::string_view path) {
  return std::string{document.scalar(json::Path::constant(path)).text};
}

/// Nothing: it is not the answer of a relay.
std::optional<Token> read_token(json::Document& document) {
  if (document.scalar(json::Path::constant("token.id")).kind != json::Kind::string) {
    return std::nullopt;
  }
  Token token{.name = text_at(document, "token.name"),
              .organization = text_at(document, "token.organization"),
              .sources = {},
              .expires_at = parse_rfc3339(text_at(document, "token.expires_at"))};
  document.for_each_element(json::Path::constant("token.scopes"), [&](const json::Found& found) {
    if (const auto scope = subscription::parse_scope(found.text)) {
      token.scopes |= static_cast<uint8_t>(*scope);
    }
    return true;
  });
  document.for_each_element(json::Path::constant("token.sources"), [&](const json::Found& found) {
    token.sources.emplace_back(found.text);
    return true;
  });
  return token;
}

std::string told(const Token& token) {
  std::string text = "\"" + token.name + "\" of the organization " + token.organization;
  return text + (token.expires_at ? ", until " + date_of(*token.expires_at) : "");
}

Finding judge_token(const Config& config, const Token& token, WallTime now) {
  const std::string who = told(token);
  if (!token.allows(Scope::events_write)) {
    return failure("token", who + ": it lacks the scope events:write", token_advice);
  }
  if (!token.allows(Scope::deliveries_read)) {
    return warning("token",
                   who +
                       ": it lacks the scope deliveries:read, with which the central relay is "
                       "asked what it has after a long time without a connection",
                   token_advice);
  }
  if (!token.covers(config.forward_sources)) {
    return warning("token", who + ": it may not send events of all sources of forward.sources",
                   "give it the sources, or name fewer in forward.sources: an event that it may "
                   "not send holds all others");
  }
  if (token.expires_at && *token.expires_at - now < token_renewal) {
    return warning("token", who, token_advice);
  }
  return ok("token", "taken: " + who);
}

/// An event that may have arrived is sent again only while the central relay is sure to know it.
Finding judge_window(const Config& config, json::Document& document) {
  const std::string own = format_duration(config.forward_idempotency_window);
  const auto seconds = http::parse_decimal(text_at(document, "idempotency_window_s"));
  if (!seconds) {
    return warning("window",
                   "the central relay does not say how long it knows ids: it is an older version",
                   "compare its ingest.idempotency_window with forward.idempotency_window (" + own +
                       "), which must not be longer");
  }
  const auto there = std::chrono::seconds{static_cast<int64_t>(*seconds)};
  const std::string text = "the central relay knows ids for " + format_duration(there);
  if (there >= config.forward_idempotency_window) {
    return ok("window", text + ", and after " + own + " it is asked first");
  }
  return failure("window",
                 text + ", and forward.idempotency_window says " + own +
                     ": after a long time without a connection events could arrive twice",
                 "set forward.idempotency_window to " + format_duration(there) +
                     ", or raise ingest.idempotency_window there");
}

Findings judge_central(const Config& config, const TrialAnswer& answer) {
  const std::string text = status_text(answer, "the question whose token it is");
  if (answer.status == 200) {
    Findings findings = judge_session(config, answer.body, wall_clock_now());
    if (!findings.empty()) {
      findings.insert(findings.begin(), ok("answer", text));
      return findings;
    }
    return {failure("answer", text + ": that is not the answer of a ringpost",
                    "forward.url leads somewhere else: mend it")};
  }
  if (answer.status == 401) {
    return {failure("token",
                    text + ": the token of " + config.forward_token_file +
                        " is not valid there, or not any more",
                    token_advice)};
  }
  if (answer.status == 421) {
    return {failure("answer", text + ": the central relay is not known by this name",
                    "add the name to server.hosts there, or mend forward.url")};
  }
  if (answer.status / 100 == 3) {
    return {failure("answer", text,
                    "no redirect is followed: write the new address to "
                    "forward.url, without /v1/events")};
  }
  if (answer.status == 408 || answer.status == 429 || answer.status >= 500) {
    return {warning("answer", text, "events are kept, and sent later: look at the central relay")};
  }
  return {
      failure("answer", text + ": there is no API of a ringpost",
              "forward.url leads somewhere else, or to a listener whose `serves` lacks \"api\"")};
}

Findings try_central(const Config& config) {
  const control::ForwardSettings settings = control_settings(config).forward;
  RINGPOST_ASSERT(settings.url);
  TrialServer server{
      .noun = "central relay",
      .subject = "forward ",
      .url = *settings.url,
      .trust = *settings.trust,
      .operator_named = true,
      .ca_place = "forward.ca_file",
      .certificate_place = "forward.certificate_file",
      .method = "GET",
      .headers = {{"Authorization", "Bearer " + settings.token}, {"Accept", "application/json"}},
      .body = {},
      .judge = [&](const TrialAnswer& answer) { return judge_central(config, answer); },
      .silence_remedy =
          "events are kept, and sent later: look at the central relay, and at what "
          "is between it and this machine"};
  std::string& target = server.url.target;
  RINGPOST_ASSERT(target.ends_with(events_path));
  target.replace(target.size() - events_path.size(), events_path.size(), session_path);
  return try_server(config, std::move(server));
}

/// Bytes of whole journal files that were begun after what was forwarded last.
uint64_t bytes_behind(const std::string& directory, const control::ForwardPlaces& places) {
  namespace fs = std::filesystem;
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& journal : fs::directory_iterator{directory, ignored}) {
    const auto number = journal::parse_journal_name(journal.path().filename().string());
    if (!number) continue;
    const auto place = places.find(*number);
    const uint32_t reached = place == places.end() ? 0 : place->second.reached.segment();
    for (const auto& file : fs::directory_iterator{journal.path(), ignored}) {
      const auto segment = journal::parse_segment_name(file.path().filename().string());
      // Those that are full have an index; the others may hold nothing yet.
      const bool is_full =
          segment && fs::exists(journal.path() / journal::index_name(*segment), ignored);
      if (is_full && *segment > reached) bytes += file.file_size(ignored);
    }
  }
  return bytes;
}

/// How much of what the journals may take waits for the central relay: beyond it the oldest go.
Finding examine_spool(const Config& config) {
  std::string problem;
  const auto store = control::StoreFacts::open(store_path(config), problem);
  const control::ReadMeta read = [&](std::string_view name) { return (*store)->meta(name); };
  const auto places = store ? control::read_forward_places(read)
                            : Result<std::optional<control::ForwardPlaces>>{store.error()};
  if (!places && places.error().code != Errc::not_found) {
    return failure(
        "forward spool",
        store_path(config) + ": " + (problem.empty() ? describe(places.error()) : problem),
        "run this as the relay's user, and see what it says of the data directory");
  }
  if (!places || !*places) return ok("forward spool", "nothing was forwarded from here yet");
  const uint64_t bytes = bytes_behind(config.data_dir + "/journal", **places);
  const std::string text = in_mib(bytes) + " of the " + in_mib(config.retention_bytes) +
                           " that the journals may take (journal.retention_bytes) wait for the "
                           "central relay";
  if (bytes < config.retention_bytes / 2) return ok("forward spool", text);
  const std::string remedy =
      "mend what keeps the central relay from taking events (ringpost "
      "forward status), or raise journal.retention_bytes: beyond it the "
      "oldest are lost to it";
  return bytes < config.retention_bytes / 10 * 9 ? warning("forward spool", text, remedy)
                                                 : failure("forward spool", text, remedy);
}

// --- the collector -------------------------------------------------------------------------------

Findings judge_collector(const Config& config, const TrialAnswer& answer) {
  const std::string text = status_text(answer, "a batch without spans");
  if (answer.status / 100 == 2) return {ok("answer", text)};
  if (answer.status == 401 || answer.status == 403) {
    return {failure("answer", text,
                    config.tracing_headers_file.empty()
                        ? "the collector wants a header that says who sends: name a file with it "
                          "in tracing.headers_file"
                        : "the collector does not take what " + config.tracing_headers_file +
                              " (tracing.headers_file) holds")};
  }
  if (answer.status / 100 == 3) {
    return {failure("answer", text,
                    "no redirect is followed: write the new address to "
                    "tracing.endpoint")};
  }
  if (answer.status == 404 || answer.status == 405 || answer.status == 415) {
    return {failure("answer", text,
                    "mend the address in tracing.endpoint: OTLP over HTTP in JSON "
                    "is usually at port 4318, path /v1/traces")};
  }
  return {warning("answer", text, "see the collector's log; spans that it does not take are lost")};
}

Findings try_collector(const Config& config) {
  const control::TracingSettings settings = control_settings(config).tracing;
  RINGPOST_ASSERT(settings.endpoint);
  TrialServer server{
      .noun = "collector",
      .subject = "tracing ",
      .url = *settings.endpoint,
      .trust = *settings.trust,
      .operator_named = true,
      .ca_place = "tracing.ca_file",
      .certificate_place = "tracing.certificate_file",
      .method = "POST",
      .headers = settings.headers,
      .body = control::otlp_request({}, {}),
      .judge = [&](const TrialAnswer& answer) { return judge_collector(config, answer); },
      .silence_remedy = "is it a collector's port of OTLP over HTTP (usually 4318, and not 4317)?"};
  server.headers.push_back({"Content-Type", "application/json"});
  server.headers.push_back({"Accept", "application/json"});
  return try_server(config, std::move(server));
}

}  // namespace

Finding judge_certificate(std::string_view subject, std::string_view file,
                          std::optional<WallTime> expires_at, WallTime now, std::string remedy) {
  const std::string name{subject};
  if (!expires_at) return failure(name, std::string{file} + " holds no certificate", remedy);
  const std::string date = date_of(*expires_at);
  if (*expires_at <= now) {
    return failure(name, std::string{file} + " has ended on " + date, std::move(remedy));
  }
  const std::string text = std::string{file} + " is valid until " + date;
  if (*expires_at - now > certificate_renewal) return ok(name, text);
  return warning(name, text, std::move(remedy));
}

Findings judge_session(const Config& config, std::string_view session, WallTime now) {
  json::Document document;
  document.assign(session);
  const auto token = read_token(document);
  if (!token) return {};
  Finding found = judge_token(config, *token, now);
  Finding window = judge_window(config, document);
  return {std::move(found), std::move(window)};
}

Findings examine_own_servers(const Config& config) {
  constexpr const char* renewal = "renew it, then: ringpost reload";
  const WallTime now = wall_clock_now();
  Findings findings;
  if (!config.forward_events_url.empty()) {
    append(findings, try_central(config));
    if (!config.forward_certificate_file.empty()) {
      findings.push_back(judge_certificate(
          "forward certificate", config.forward_certificate_file,
          net::certificate_expires_at(config.forward_certificate_pem), now, renewal));
    }
    findings.push_back(examine_spool(config));
  }
  if (!config.tracing_endpoint.empty()) {
    append(findings, try_collector(config));
    if (!config.tracing_certificate_file.empty()) {
      findings.push_back(judge_certificate(
          "tracing certificate", config.tracing_certificate_file,
          net::certificate_expires_at(config.tracing_certificate_pem), now, renewal));
    }
  }
  return findings;
}

}  // namespace ringpost::server
