#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/delivery_json.h"
#include "control/api/history.h"
#include "dialect/dialect.h"

#include <utility>

namespace ringpost::control {

using journal::EventRef;
using subscription::Webhook;

// --- one delivery --------------------------------------------------------------------------------

std::variant<DeliveryApi::Found, Problem> DeliveryApi::find(const Call& call,
                                                            const std::optional<Ulid>& id) {
  if (!id) return no_delivery();
  auto search = history_.of(call.organization, call.now).delivery(*id);
  if (!search) return history_unreadable(search.error());
  const std::optional<DeliveryFacts>& facts = *search;
  if (!facts) return still_indexing(journals_).value_or(no_delivery());
  const Webhook* webhook = registry_.find(facts->webhook_number);
  if (webhook != nullptr && !may_see(call, *webhook)) return no_delivery();
  auto event = journals_.read_event(facts->event.position);
  if (!event) {  // Whose it is, only its webhook can tell now.
    return webhook != nullptr ? unreadable(event.error()) : no_delivery();
  }
  if (!may_see(call, (*event)->view())) return no_delivery();
  return Found{*facts, std::move(*event)};
}

WallTime DeliveryApi::paused_until(const Call& call, uint32_t webhook_number) const {
  return registry_.receivers().waits_until(webhook_number, call.now);
}

Answer DeliveryApi::show(const Call& call) {
  auto search = find(call, Ulid::parse_either(call.id()));
  if (auto* problem = std::get_if<Problem>(&search)) return refuse(*problem);
  const Found& found = std::get<Found>(search);
  std::vector<Result<JournalAccess::StoredOutcome>> outcomes;
  for (const journal::Position position : found.facts.state.records) {
    outcomes.push_back(journals_.read_outcome(position));
  }
  const DeliveryParts parts{found.facts, found.event->view(),
                            registry_.find(found.facts.webhook_number), call.now,
                            paused_until(call, found.facts.webhook_number)};
  std::string body;
  JsonWriter json(body);
  begin_delivery(json, parts);
  write_attempts(json, parts, outcomes);
  json.end_object();
  return answer_json(200, std::move(body));
}

// --- redelivery ----------------------------------------------------------------------------------

namespace {

using Overrides = api::Management::Overrides;

std::optional<Problem> read_override_headers(simdjson::dom::element value,
                                             const dialect::Dialect& dialect, std::string& lines) {
  simdjson::dom::object headers;
  if (auto problem = read_object(value, "headers", headers)) return problem;
  if (headers.size() > api::webhook_headers_max) return invalid("headers", "has too many headers");
  if (auto problem = api::check_names_differ("headers", headers)) return problem;
  for (const auto [name, content] : headers) {
    const std::string member =
        "headers." + std::string{name.substr(0, api::webhook_header_name_bytes_max)};
    std::string text;
    if (auto problem = read(content, member, api::webhook_header_value_bytes_max, text))
      return problem;
    if (auto problem = api::check_header(member, name, text)) return problem;
    if (dialect.writes_header(name)) return invalid(member, "is reserved and cannot be set");
    if (dialect::names_a_credential(name)) {
      return invalid(
          member,
          "looks like a credential; headers of one delivery are stored unencrypted, so set "
          "it on the webhook instead");
    }
    lines.append(name).append(": ").append(text).append("\n");
  }
  if (lines.size() > api::webhook_headers_bytes_max)
    return invalid("headers", "takes too many bytes");
  return std::nullopt;
}

std::optional<Problem> read_overrides(std::string_view text, const dialect::Dialect& dialect,
                                      Overrides& overrides) {
  JsonBody body;
  if (auto problem = body.parse_optional(text, "data")) return problem;
  for (const auto [name, value] : body.root()) {
    if (name == "headers") {
      if (auto problem = read_override_headers(value, dialect, overrides.headers)) return problem;
    } else if (name == "data") {
      simdjson::dom::object object;
      if (auto problem = read_object(value, "data", object)) return problem;
      overrides.data = body.spelled("data");
    } else {
      return invalid(name, "is not a member of a redelivery");
    }
  }
  overrides.members = member_names(body.root());
  return std::nullopt;
}

}  // namespace

Answer DeliveryApi::redeliver(const Call& call) {
  auto search = find(call, Ulid::parse_either(call.id()));
  if (auto* problem = std::get_if<Problem>(&search)) return refuse(*problem);
  const Found& found = std::get<Found>(search);
  const Webhook* webhook = registry_.find(found.facts.webhook_number);
  Overrides overrides;
  if (webhook != nullptr) {  // Else there is no dialect to ask, and nothing is sent.
    auto problem = read_overrides(call.request.body, dialect::of(*webhook), overrides);
    if (problem) return refuse(*problem);
  }
  const auto made = management_.redeliver({.id = found.facts.id,
                                           .status = found.facts.state.status,
                                           .event = found.event,
                                           .attempts = {}},
                                          overrides);
  if (const auto* problem = std::get_if<Problem>(&made)) return refuse(*problem);
  return answer_new(call, *std::get<EventRef>(made), *webhook);
}

Answer DeliveryApi::ping(const Call& call) {
  const auto id = Ulid::parse_either(call.id());
  const Webhook* webhook = id ? management_.webhook(call.organization, *id) : nullptr;
  if (webhook == nullptr) return refuse(refusal(404, "there is no such webhook"));
  if (auto problem = refuse_members(call)) return refuse(*problem);
  if (!webhook->active()) {
    return refuse(refusal(409, "the webhook is not active: enable it before you try it out"));
  }
  const auto pinged = management_.ping(*webhook);
  if (const auto* problem = std::get_if<Problem>(&pinged)) return refuse(*problem);
  return answer_new(call, *std::get<EventRef>(pinged), *webhook);
}

/// A delivery that waits for its event to be durable.
Answer DeliveryApi::answer_new(const Call& call, const journal::StoredEvent& event,
                               const Webhook& webhook) {
  DeliveryFacts facts;
  facts.webhook_number = webhook.number;
  facts.id = journal::delivery_id(event.view().uid, webhook.number);
  std::string body;
  JsonWriter json(body);
  begin_delivery(json, {facts, event.view(), &webhook, call.now});
  json.key("attempts").begin_array().end_array().end_object();
  Answer answer = answer_json(202, std::move(body), Answer::When::stored);
  answer.response.headers.push_back({"Location", "/v1/deliveries/" + facts.id.to_text()});
  return answer;
}

}  // namespace ringpost::control
