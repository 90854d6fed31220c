#include "load/relay_target.h"

#include "base/json_writer.h"
#include "cli/json.h"
#include "cli/refusal.h"
#include "cli/text.h"

#include <simdjson.h>

namespace ringpost::load {
namespace {

constexpr const char* json_type = "application/json";
constexpr const char* events_target = "/v1/events";
constexpr const char* webhooks_target = "/v1/webhooks";

/// A member of an answer, as text; empty if there is none.
std::string member_of(const cli::Answer& answer, std::string_view pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  if (!cli::parse_json(answer.body, parser, json) || !json.is_object()) return "";
  return std::string{cli::raw_text_of(json, pointer)};
}

std::vector<std::string> texts_of(simdjson::simdjson_result<simdjson::dom::element> list) {
  std::vector<std::string> texts;
  simdjson::dom::array array;
  if (list.get(array) != simdjson::SUCCESS) return texts;
  for (const simdjson::dom::element element : array) {
    std::string_view text;
    if (element.get(text) == simdjson::SUCCESS) texts.emplace_back(text);
  }
  return texts;
}

std::string body_of(const RelayTarget::NewWebhook& webhook) {
  std::string body;
  JsonWriter json{body};
  json.begin_object()
      .member("dialect", webhook.dialect)
      .member("description", "ringpost-load: removed when the run ends")
      .member("url", webhook.url);
  cli::write_texts(json, "sources", webhook.sources);
  cli::write_texts(json, "events", webhook.events);
  if (!webhook.secret.empty()) json.member("secret", webhook.secret);
  if (!webhook.settings.empty()) json.key("settings").raw(webhook.settings);
  json.member("concurrency_max", 256);
  json.key("tls").begin_object().member("ca", webhook.ca_pem).end_object();
  json.end_object();
  return body;
}

}  // namespace

std::unique_ptr<RelayTarget> RelayTarget::create(const cli::ClientOptions& options,
                                                 std::string& problem, bool& wrong_usage) {
  auto client = cli::Client::create(options, problem, wrong_usage);
  if (client == nullptr) return nullptr;
  return std::unique_ptr<RelayTarget>(new RelayTarget(std::move(client)));
}

RelayTarget::State RelayTarget::check(std::string& problem) {
  const auto ready = client_->request("GET", "/readyz", "", "", problem);
  if (!ready) return State::unreachable;
  const std::string status = member_of(*ready, "/status");
  if (status.empty() || (ready->status != 200 && ready->status != 503)) {
    problem = "GET /readyz was answered with status " + std::to_string(ready->status) +
              " and not as a ringpost relay does: is that a relay? (A receiver is tested with "
              "ringpost-load receiver URL.)";
    return State::unreachable;
  }
  if (ready->status == 503) {
    problem = "the relay takes no events now: " + cli::shown(status);
    return State::refuses;
  }
  // No event at all: what is refused about it is its body, or before that the token.
  const auto empty = client_->request("POST", events_target, "application/x-ndjson", "\n", problem);
  if (!empty) return State::unreachable;
  if (empty->status != 401 && empty->status != 403) return State::good;
  problem = cli::explain_refusal(*empty, events_target);
  return State::refuses;
}

std::vector<Bystander> RelayTarget::active_webhooks() {
  std::vector<Bystander> found;
  std::string cursor;
  do {
    std::string problem;
    const auto answer = client_->request(
        "GET", cli::with_query(webhooks_target, {{"limit", "200"}, {"cursor", cursor}}), "", "",
        problem);
    simdjson::dom::parser parser;
    simdjson::dom::element json;
    simdjson::dom::array items;
    if (!answer || !answer->ok() || !cli::parse_json(answer->body, parser, json) ||
        json["items"].get(items) != simdjson::SUCCESS) {
      return found;
    }
    for (const simdjson::dom::element item : items) {
      if (cli::raw_text_of(item, "/state") != "active") continue;
      found.push_back({.id = std::string{cli::raw_text_of(item, "/id")},
                       .url = std::string{cli::raw_text_of(item, "/url")},
                       .sources = texts_of(item["sources"]),
                       .events = texts_of(item["events"])});
    }
    cursor = cli::raw_text_of(json, "/next_cursor");
  } while (!cursor.empty());
  return found;
}

bool RelayTarget::add_webhook(const NewWebhook& webhook, std::string& problem) {
  const auto answer =
      client_->request("POST", webhooks_target, json_type, body_of(webhook), problem);
  if (!answer) return false;
  if (!answer->ok()) {
    problem = cli::explain_refusal(*answer, webhooks_target);
    return false;
  }
  webhooks_.push_back(member_of(*answer, "/id"));
  return true;
}

bool RelayTarget::remove_webhooks(std::string& problem) {
  std::string left;
  for (const std::string& id : webhooks_) {
    const std::string target = std::string{webhooks_target} + "/" + cli::percent_encoded(id);
    std::string why;
    const auto answer = client_->request("DELETE", target, "", "", why);
    if (answer && (answer->ok() || answer->status == 404)) continue;
    if (answer) why = cli::explain_refusal(*answer, target);
    left += " " + cli::shown(id);
    problem = why;
  }
  webhooks_.clear();
  if (left.empty()) return true;
  problem = "these webhooks could not be removed:" + left + " (" + problem + ")";
  return false;
}

std::optional<RelayCounters> RelayTarget::counters() {
  std::string problem;
  const auto answer = client_->request("GET", "/v1/status", "", "", problem);
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  if (!answer || !answer->ok() || !cli::parse_json(answer->body, parser, json)) return std::nullopt;
  RelayCounters counters;
  for (const auto& [pointer, into] :
       {std::pair{"/totals/events_accepted", &counters.events_accepted},
        {"/totals/deliveries_created", &counters.deliveries_created},
        {"/totals/deliveries_delivered", &counters.deliveries_delivered},
        {"/totals/attempts_failed", &counters.attempts_failed}}) {
    uint64_t count = 0;
    if (json.at_pointer(pointer).get(count) == simdjson::SUCCESS) *into = count;
  }
  return counters;
}

RelayCounters operator-(const RelayCounters& after, const RelayCounters& before) {
  return {.events_accepted = after.events_accepted - before.events_accepted,
          .deliveries_created = after.deliveries_created - before.deliveries_created,
          .deliveries_delivered = after.deliveries_delivered - before.deliveries_delivered,
          .attempts_failed = after.attempts_failed - before.attempts_failed};
}

}  // namespace ringpost::load
