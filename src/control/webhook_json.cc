#include "control/webhook_json.h"

#include "crypto/base64.h"
#include "crypto/random.h"
#include "http/syntax.h"
#include "http/url.h"
#include "subscription/patterns.h"

#include <algorithm>
#include <array>

namespace ringpost::control {

namespace dom = simdjson::dom;
using subscription::Dialect;
using subscription::Webhook;
using subscription::WebhookState;

namespace {

/// One reading of a body: which webhook it changes, and what a missing member means.
struct Reading {
  Webhook& webhook;
  const WebhookChecks& checks;
  const Webhook defaults;
  bool creates = false;
};

using Outcome = std::optional<Problem>;

/// What a webhook of this dialect is, as far as its body does not say.
Webhook defaults_of(Dialect dialect) {
  Webhook webhook;
  webhook.dialect = dialect;
  switch (dialect) {
    case Dialect::standard: webhook.schedule_s = subscription::default_schedule(); break;
    case Dialect::bitrise:  // One attempt, ten seconds: what Bitrise's receivers are used to.
      webhook.schedule_s = {};
      webhook.timeout_ms = 10'000;
      break;
  }
  return webhook;
}

bool begins_without_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         http::equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string entry_name(std::string_view member, size_t index) {
  return std::string{member} + "[" + std::to_string(index) + "]";
}

// --- members of a webhook, in the order of the documentation ------------------------------------

Outcome read_description(Reading& reading, dom::element value) {
  return read(value, "description", webhook_text_bytes_max, reading.webhook.description);
}

Outcome read_organization(Reading& reading, dom::element value) {
  std::string organization;
  if (auto problem = read(value, "organization", webhook_text_bytes_max, organization)) {
    return problem;
  }
  if (organization == reading.webhook.organization) return std::nullopt;
  return invalid("organization", "must be the token's own organization");
}

Outcome read_url(Reading& reading, dom::element value) {
  std::string text;
  if (auto problem = read(value, "url", webhook_url_bytes_max, text)) return problem;
  const auto parsed = http::parse_url(text);
  if (const auto* wrong = std::get_if<http::UrlProblem>(&parsed)) {
    return invalid("url", wrong->reason);
  }
  const http::Url& url = std::get<http::Url>(parsed);
  subscription::Destination destination{
      .url = url.text(), .tls = url.tls, .host = url.host, .port = url.port, .target = url.target};
  if (reading.checks.allow_destination) {
    if (const auto denied = reading.checks.allow_destination(destination)) {
      return invalid("url", *denied);
    }
  }
  reading.webhook.destination = std::move(destination);
  return std::nullopt;
}

using Objects = subscription::Objection (*)(std::string_view pattern);

Outcome read_patterns(dom::element value, std::string_view member, Objects object,
                      std::vector<std::string>& out) {
  dom::array entries;
  if (auto problem = read_array(value, member, webhook_patterns_max, entries)) return problem;
  if (entries.size() == 0) return invalid(member, "must have at least one entry");
  std::vector<std::string> patterns;
  for (dom::element entry : entries) {
    const std::string name = entry_name(member, patterns.size());
    std::string pattern;
    if (auto problem = read(entry, name, subscription::source_bytes_max, pattern)) return problem;
    if (const auto objection = object(pattern); !objection.empty()) return invalid(name, objection);
    patterns.push_back(std::move(pattern));
  }
  out = std::move(patterns);
  return std::nullopt;
}

Outcome read_sources(Reading& reading, dom::element value) {
  return read_patterns(value, "sources", subscription::object_to_source_pattern,
                       reading.webhook.sources);
}

Outcome read_events(Reading& reading, dom::element value) {
  return read_patterns(value, "events", subscription::object_to_event_pattern,
                       reading.webhook.events);
}

/// Filters come later; what they are by default may be said already.
Outcome read_filter(Reading&, dom::element value) {
  dom::object filter;
  if (auto problem = read_object(value, "filter", filter)) return problem;
  for (const auto [name, part] : filter) {
    const std::string member = "filter." + std::string{name};
    std::string_view text;
    dom::array list;
    if (name == "branches") {
      if (part.is_null()) continue;
      if (part.get(text) != simdjson::SUCCESS) return invalid(member, "must be a string");
      if (!text.empty()) return invalid(member, "is not supported by this version; leave it out");
    } else if (name == "teams" || name == "clusters") {
      if (part.is_null()) continue;
      if (part.get(list) != simdjson::SUCCESS) return invalid(member, "must be an array");
      if (list.size() != 0)
        return invalid(member, "is not supported by this version; leave it out");
    } else {
      return invalid(member, "is not a member of a filter");
    }
  }
  return std::nullopt;
}

using Headers = std::vector<std::pair<std::string, std::string>>;

Headers::iterator find_header(Headers& headers, std::string_view name) {
  return std::find_if(headers.begin(), headers.end(), [&](const auto& header) {
    return http::equal_ignoring_case(header.first, name);
  });
}

Outcome merge_header(Reading& reading, std::string_view name, dom::element value,
                     Headers& headers) {
  const std::string member =
      "headers." + std::string{name.substr(0, webhook_header_name_bytes_max)};
  const auto found = find_header(headers, name);
  if (value.is_null() && !reading.creates) {
    if (found != headers.end()) headers.erase(found);
    return std::nullopt;
  }
  std::string text;
  if (auto problem = read(value, member, webhook_header_value_bytes_max, text)) return problem;
  if (auto problem = check_header(member, name, text)) return problem;
  if (found == headers.end()) {
    headers.emplace_back(name, std::move(text));
  } else if (reading.creates) {
    return invalid(member, "is there twice (names of headers do not differ by case)");
  } else {
    *found = {std::string{name}, std::move(text)};
  }
  return std::nullopt;
}

Outcome read_headers(Reading& reading, dom::element value) {
  dom::object object;
  if (auto problem = read_object(value, "headers", object)) return problem;
  Headers headers = reading.webhook.headers;
  for (const auto [name, content] : object) {
    if (auto problem = merge_header(reading, name, content, headers)) return problem;
  }
  size_t bytes = 0;
  for (const auto& [name, content] : headers) bytes += name.size() + content.size() + 4;
  if (headers.size() > webhook_headers_max) {
    return invalid("headers", "has more than " + std::to_string(webhook_headers_max) + " headers");
  }
  if (bytes > webhook_headers_bytes_max) {
    return invalid("headers",
                   "takes more than " + std::to_string(webhook_headers_bytes_max) + " bytes");
  }
  reading.webhook.headers = std::move(headers);
  return std::nullopt;
}

Outcome read_secret(Reading& reading, dom::element value) {
  std::string secret;
  if (auto problem = read(value, "secret", webhook_secret_bytes_max, secret)) return problem;
  if (auto problem = check_secret(reading.webhook.dialect, secret)) return problem;
  reading.webhook.secret = std::move(secret);
  return std::nullopt;
}

Outcome read_ca(Reading& reading, dom::element value) {
  std::string ca;
  if (auto problem = read(value, "tls.ca", webhook_ca_bytes_max, ca)) return problem;
  if (!ca.empty() && reading.checks.check_ca) {
    if (const auto wrong = reading.checks.check_ca(ca)) return invalid("tls.ca", *wrong);
  }
  reading.webhook.tls_ca = std::move(ca);
  return std::nullopt;
}

Outcome read_tls(Reading& reading, dom::element value) {
  dom::object tls;
  if (auto problem = read_object(value, "tls", tls)) return problem;
  for (const auto [name, part] : tls) {
    const bool resets = part.is_null() && !reading.creates;
    Outcome problem;
    if (name == "verify") {
      if (resets) reading.webhook.tls_verify = true;
      if (!resets) problem = read(part, "tls.verify", reading.webhook.tls_verify);
    } else if (name == "ca") {
      if (resets) reading.webhook.tls_ca.clear();
      if (!resets) problem = read_ca(reading, part);
    } else if (name == "client_certificate" || name == "client_key") {
      std::string_view text;
      const bool empty = part.is_null() || (part.get(text) == simdjson::SUCCESS && text.empty());
      if (!empty) {
        problem =
            invalid("tls." + std::string{name}, "is not supported by this version; leave it out");
      }
    } else {
      problem = invalid("tls." + std::string{name}, "is not a member of tls");
    }
    if (problem) return problem;
  }
  return std::nullopt;
}

Outcome read_schedule(Reading& reading, dom::element value) {
  dom::array entries;
  if (auto problem = read_array(value, "schedule", webhook_schedule_max, entries)) return problem;
  std::vector<uint32_t> schedule;
  for (dom::element entry : entries) {
    uint32_t seconds = 0;
    const std::string name = entry_name("schedule", schedule.size());
    if (auto problem = read(entry, name, 1, webhook_schedule_s_max, seconds)) return problem;
    schedule.push_back(seconds);
  }
  reading.webhook.schedule_s = std::move(schedule);
  return std::nullopt;
}

Outcome read_timeout(Reading& reading, dom::element value) {
  return read(value, "timeout_ms", webhook_timeout_ms_min, webhook_timeout_ms_max,
              reading.webhook.timeout_ms);
}

Outcome read_concurrency(Reading& reading, dom::element value) {
  return read(value, "concurrency_max", 1, webhook_concurrency_max,
              reading.webhook.concurrency_max);
}

Outcome read_rate(Reading&, dom::element value) {
  if (value.is_null()) return std::nullopt;
  return invalid("rate_per_second", "is not supported by this version; leave it out");
}

Outcome read_ordering(Reading&, dom::element value) {
  std::string ordering;
  if (auto problem = read(value, "ordering", webhook_text_bytes_max, ordering)) return problem;
  if (ordering == "none") return std::nullopt;
  if (ordering != "key") return invalid("ordering", "must be \"none\"");
  return invalid("ordering", "\"key\" is not supported by this version; only \"none\" is");
}

Outcome read_enabled(Reading& reading, dom::element value) {
  bool enabled = true;
  if (auto problem = read(value, "enabled", enabled)) return problem;
  Webhook& webhook = reading.webhook;
  if (enabled == webhook.active()) return std::nullopt;
  webhook.state = enabled ? WebhookState::active : WebhookState::disabled;
  webhook.state_reason = enabled ? "" : "disabled over the API";
  return std::nullopt;
}

/// How a member is read, and what null means to a patch (nothing: null is not taken).
struct Member {
  std::string_view name;
  Outcome (*read)(Reading&, dom::element);
  void (*reset)(Reading&);
};

constexpr std::array members = {
    Member{"description", read_description, [](Reading& r) { r.webhook.description.clear(); }},
    Member{"organization", read_organization, nullptr},
    Member{"url", read_url, nullptr},
    Member{"sources", read_sources, [](Reading& r) { r.webhook.sources = r.defaults.sources; }},
    Member{"events", read_events, [](Reading& r) { r.webhook.events = r.defaults.events; }},
    Member{"filter", read_filter, [](Reading&) {}},
    Member{"headers", read_headers, [](Reading& r) { r.webhook.headers.clear(); }},
    Member{"secret", read_secret, nullptr},
    Member{"tls", read_tls,
           [](Reading& r) {
             r.webhook.tls_verify = r.defaults.tls_verify;
             r.webhook.tls_ca.clear();
           }},
    Member{"schedule", read_schedule,
           [](Reading& r) { r.webhook.schedule_s = r.defaults.schedule_s; }},
    Member{"timeout_ms", read_timeout,
           [](Reading& r) { r.webhook.timeout_ms = r.defaults.timeout_ms; }},
    Member{"concurrency_max", read_concurrency,
           [](Reading& r) { r.webhook.concurrency_max = r.defaults.concurrency_max; }},
    Member{"rate_per_second", read_rate, [](Reading&) {}},
    Member{"ordering", read_ordering, [](Reading&) {}},
    Member{"enabled", read_enabled, nullptr},
};

constexpr std::array<std::string_view, 6> members_read_only = {
    "id", "state", "state_reason", "created_at", "updated_at", "dialect"};

Outcome read_member(Reading& reading, std::string_view name, dom::element value) {
  for (const Member& member : members) {
    if (member.name != name) continue;
    if (!value.is_null() || member.read == read_rate) return member.read(reading, value);
    if (reading.creates || member.reset == nullptr) {
      return invalid(name, "must not be null; leave it out instead");
    }
    member.reset(reading);
    return std::nullopt;
  }
  const bool read_only = std::find(members_read_only.begin(), members_read_only.end(), name) !=
                         members_read_only.end();
  return invalid(name, read_only ? "cannot be set" : "is not a member of a webhook");
}

Outcome read_dialect(dom::object body, Dialect& dialect) {
  dom::element value;
  if (body.at_key("dialect").get(value) != simdjson::SUCCESS) return std::nullopt;
  std::string text;
  if (auto problem = read(value, "dialect", webhook_text_bytes_max, text)) return problem;
  const auto parsed = subscription::parse_dialect(text);
  if (!parsed) return invalid("dialect", "must be \"standard\" or \"bitrise\"");
  dialect = *parsed;
  return std::nullopt;
}

Outcome read_members(Reading& reading, dom::object body) {
  for (const auto [name, value] : body) {
    if (reading.creates && name == "dialect") continue;  // Read first: it decides on the defaults.
    if (auto problem = read_member(reading, name, value)) return problem;
  }
  return std::nullopt;
}

// --- headers ------------------------------------------------------------------------------------

bool is_reserved(std::string_view name) {
  constexpr std::array<std::string_view, 18> names = {"host",
                                                      "content-length",
                                                      "transfer-encoding",
                                                      "connection",
                                                      "keep-alive",
                                                      "te",
                                                      "trailer",
                                                      "upgrade",
                                                      "expect",
                                                      "proxy-connection",
                                                      "content-type",
                                                      "content-encoding",
                                                      "user-agent",
                                                      "traceparent",
                                                      "webhook-id",
                                                      "webhook-timestamp",
                                                      "date",
                                                      "webhook-signature"};
  constexpr std::array<std::string_view, 2> prefixes = {"ringpost-", "bitrise-"};
  return std::any_of(names.begin(), names.end(),
                     [&](auto reserved) { return http::equal_ignoring_case(name, reserved); }) ||
         std::any_of(prefixes.begin(), prefixes.end(),
                     [&](auto prefix) { return begins_without_case(name, prefix); });
}

}  // namespace

std::optional<Problem> check_header(std::string_view member, std::string_view name,
                                    std::string_view value) {
  if (name.empty()) return invalid(member, "has no name");
  if (name.size() > webhook_header_name_bytes_max) {
    return invalid(member, "has a name longer than " +
                               std::to_string(webhook_header_name_bytes_max) + " bytes");
  }
  if (!http::is_token(name)) return invalid(member, "has a name that is not an HTTP token");
  if (is_reserved(name)) return invalid(member, "is written by the relay itself");
  if (value.empty()) return invalid(member, "has no value");
  if (value.size() > webhook_header_value_bytes_max) {
    return invalid(member, "has a value longer than " +
                               std::to_string(webhook_header_value_bytes_max) + " bytes");
  }
  const auto allowed = [](char byte) { return byte == '\t' || (byte >= 0x20 && byte < 0x7F); };
  if (!std::all_of(value.begin(), value.end(), allowed)) {
    return invalid(member, "has a value with bytes other than visible ASCII, spaces and tabs");
  }
  const auto blank = [](char byte) { return byte == ' ' || byte == '\t'; };
  if (blank(value.front()) || blank(value.back())) {
    return invalid(member, "has a value that begins or ends with a space");
  }
  return std::nullopt;
}

std::string mint_secret() {
  std::array<std::byte, 32> bytes;
  crypto::fill(bytes);
  return "whsec_" + crypto::base64_encode(bytes);
}

std::optional<Problem> check_secret(Dialect dialect, std::string_view secret) {
  if (dialect == Dialect::bitrise) return std::nullopt;  // Any text; empty means unsigned.
  constexpr std::string_view prefix = "whsec_";
  constexpr std::string_view rule = "must be \"whsec_\" and the base64 of 24 to 64 bytes";
  if (!secret.starts_with(prefix)) return invalid("secret", rule);
  const auto key = crypto::base64_decode(secret.substr(prefix.size()));
  if (!key || key->size() < 24 || key->size() > 64) return invalid("secret", rule);
  return std::nullopt;
}

std::optional<Problem> create_webhook(dom::object body, const WebhookChecks& checks,
                                      Webhook& webhook) {
  Dialect dialect = Dialect::standard;
  if (auto problem = read_dialect(body, dialect)) return problem;
  std::string organization = std::move(webhook.organization);
  webhook = defaults_of(dialect);
  webhook.organization = std::move(organization);
  Reading reading{webhook, checks, defaults_of(dialect), true};
  if (auto problem = read_members(reading, body)) return problem;
  if (webhook.destination.url.empty()) return invalid("url", "is required");
  if (webhook.secret.empty() && dialect == Dialect::standard) webhook.secret = mint_secret();
  return std::nullopt;
}

std::optional<Problem> patch_webhook(dom::object body, const WebhookChecks& checks,
                                     Webhook& webhook) {
  Reading reading{webhook, checks, defaults_of(webhook.dialect), false};
  return read_members(reading, body);
}

// --- writing ------------------------------------------------------------------------------------

namespace {

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

void write_subscription(JsonWriter& json, const Webhook& webhook) {
  write_texts(json, "sources", webhook.sources);
  write_texts(json, "events", webhook.events);
  json.key("filter").begin_object().member("branches", "");
  write_texts(json, "teams", {});
  write_texts(json, "clusters", {});
  json.end_object();
}

void write_request_settings(JsonWriter& json, const Webhook& webhook, bool with_secret) {
  json.key("headers").begin_object();
  for (const auto& [name, value] : webhook.headers) json.member(name, value);
  json.end_object();
  if (with_secret) json.member("secret", webhook.secret);
  json.key("tls").begin_object();
  json.member("verify", webhook.tls_verify).member("ca", webhook.tls_ca);
  json.member("client_certificate", "").end_object();
}

void write_pace(JsonWriter& json, const Webhook& webhook) {
  json.key("schedule").begin_array();
  for (uint32_t seconds : webhook.schedule_s) json.value(seconds);
  json.end_array();
  json.member("timeout_ms", webhook.timeout_ms).member("concurrency_max", webhook.concurrency_max);
  json.key("rate_per_second").null().member("ordering", "none");
}

}  // namespace

void write_webhook(JsonWriter& json, const Webhook& webhook, bool with_secret) {
  json.begin_object()
      .member("id", webhook.id.to_text())
      .member("dialect", subscription::name(webhook.dialect))
      .member("description", webhook.description)
      .member("organization", webhook.organization)
      .member("url", webhook.destination.url);
  write_subscription(json, webhook);
  write_request_settings(json, webhook, with_secret);
  write_pace(json, webhook);
  json.member("enabled", webhook.active())
      .member("state", subscription::name(webhook.state))
      .member("state_reason", webhook.state_reason)
      .member("created_at", to_rfc3339(webhook.created_at))
      .member("updated_at", to_rfc3339(webhook.updated_at))
      .end_object();
}

}  // namespace ringpost::control
