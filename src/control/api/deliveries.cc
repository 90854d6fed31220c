#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/delivery_json.h"
#include "dialect/dialect.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ringpost::control {

using journal::DeliveryStatus;
using journal::EventRef;
using journal::EventView;
using subscription::Webhook;

namespace {

/// Entries of the index that one page may pass over. A page that stops here has fewer items than
/// its limit and a cursor to go on from.
constexpr uint32_t entries_per_page_max = 20'000;

/// Events reach the index nearly in the order of their times. A list goes on for this long past
/// `since` before it ends.
constexpr Duration disorder_max = std::chrono::minutes(1);

/// Events of one id, each a read of the journal: how many are shown with it, and how many of other
/// sources are passed over to find them.
constexpr size_t events_of_one_id_max = 100;
constexpr size_t events_looked_at_max = 1000;

Problem no_delivery() {
  return refusal(404, "there is no such delivery");
}

Problem unreadable(const Error& error) {
  if (error.code == Errc::not_found) return refusal(404, "the event is no longer stored");
  return refusal(503, "the stored event cannot be read: " + describe(error));
}

WallTime time_of(const Ulid& uid) {
  return from_unix_ns(static_cast<int64_t>(uid.time_ms()) * 1'000'000);
}

// What belongs to another organization, or to a source that the token may not touch, looks unknown.

bool may_see(const Call& call, const Webhook& webhook) {
  return webhook.organization == call.organization && call.token->covers(webhook.sources);
}
bool may_see(const Call& call, const EventView& event) {
  return event.organization == call.organization && call.token->may_touch(event.source);
}

bool wanted(const ListQuery& query, const DeliveryFacts& facts) {
  if (query.status && facts.status != *query.status) return false;
  const WallTime accepted_at = time_of(facts.event_uid);
  if (query.since && accepted_at < *query.since) return false;
  return !query.until || accepted_at < *query.until;
}

}  // namespace

// --- lists ---------------------------------------------------------------------------------------

namespace {

/// One page of a webhook's deliveries in the making.
class Page {
 public:
  Page(const ListQuery& query, const Webhook& webhook, const subscription::Token& token,
       JournalAccess& journals)
      : query_(query), webhook_(webhook), token_(token), journals_(journals), json_(body_) {
    json_.begin_object().key("items").begin_array();
  }

  void fill(History::Walk walk) {
    for (; !walk.ended() && items_ < query_.limit && passed_ < entries_per_page_max;
         walk.advance()) {
      const DeliveryFacts facts = walk.facts();
      if (query_.since && time_of(facts.event_uid) < *query_.since - disorder_max) return;
      ++passed_;
      last_ = facts.id;
      if (wanted(query_, facts) && (!query_.type || walk.type_may_be(*query_.type))) add(facts);
    }
    more_ = !walk.ended();
  }

  std::string finish() {
    json_.end_array();
    write_next_cursor(json_, ListKind::deliveries, more_ ? &last_ : nullptr);
    json_.end_object();
    return std::move(body_);
  }

 private:
  void add(const DeliveryFacts& facts) {
    const Result<EventRef> event = journals_.read_event(facts.event);
    const EventView unknown;  // Damaged or removed: the delivery is listed all the same.
    const EventView& view = event ? (*event)->view() : unknown;
    if (event && query_.type && view.type != *query_.type) return;
    if (token_.restricted() && !token_.may_touch(view.source)) return;
    begin_delivery(json_, {facts, view, &webhook_});
    const auto outcome = facts.newest_record.valid()
                             ? journals_.read_outcome(facts.newest_record)
                             : Result<JournalAccess::StoredOutcome>{Error{Errc::not_found}};
    write_last_attempt(json_, facts, outcome ? &outcome->view : nullptr);
    json_.end_object();
    ++items_;
  }

  const ListQuery& query_;
  const Webhook& webhook_;
  const subscription::Token& token_;
  JournalAccess& journals_;
  std::string body_;
  JsonWriter json_;
  uint32_t items_ = 0;
  uint32_t passed_ = 0;
  Ulid last_;
  bool more_ = false;
};

}  // namespace

Answer DeliveryApi::list(const Call& call) {
  const auto id = Ulid::parse(call.id());
  const Webhook* webhook = id ? registry_.find(call.organization, *id) : nullptr;
  if (webhook == nullptr || !call.token->covers(webhook->sources)) {
    return refuse(refusal(404, "there is no such webhook"));
  }
  auto parsed = parse_list_query(call.request.query, ListKind::deliveries);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  Page page(query, *webhook, *call.token, journals_);
  page.fill(query.cursor ? history_.after(webhook->number, *query.cursor)
                         : history_.newest(webhook->number));
  return answer_json(200, page.finish());
}

// --- one delivery --------------------------------------------------------------------------------

std::variant<DeliveryApi::Found, Problem> DeliveryApi::find(const Call& call) {
  const auto id = Ulid::parse(call.id());
  const auto facts = id ? history_.delivery(*id) : std::nullopt;
  if (!facts) return no_delivery();
  const Webhook* webhook = registry_.find(facts->webhook_number);
  if (webhook != nullptr && !may_see(call, *webhook)) return no_delivery();
  auto event = journals_.read_event(facts->event);
  if (!event) {  // Whose it is, only its webhook can tell now.
    return webhook != nullptr ? unreadable(event.error()) : no_delivery();
  }
  if (!may_see(call, (*event)->view())) return no_delivery();
  return Found{*facts, std::move(*event)};
}

Answer DeliveryApi::show(const Call& call) {
  auto search = find(call);
  if (auto* problem = std::get_if<Problem>(&search)) return refuse(*problem);
  const Found& found = std::get<Found>(search);
  std::vector<Result<JournalAccess::StoredOutcome>> outcomes;
  for (const journal::Position position : history_.outcomes(found.facts)) {
    outcomes.push_back(journals_.read_outcome(position));
  }
  const DeliveryParts parts{found.facts, found.event->view(),
                            registry_.find(found.facts.webhook_number)};
  std::string body;
  JsonWriter json(body);
  begin_delivery(json, parts);
  write_attempts(json, parts, outcomes);
  json.end_object();
  return answer_json(200, std::move(body));
}

// --- redelivery ----------------------------------------------------------------------------------

namespace {

/// The body of a redelivery: what replaces the stored event's own.
struct Overrides {
  std::string data;     ///< Empty: the stored bytes.
  std::string headers;  ///< `Name: value` lines.
};

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

std::optional<Problem> read_overrides(JsonBody& body, const dialect::Dialect& dialect,
                                      Overrides& overrides) {
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
  return std::nullopt;
}

}  // namespace

Answer DeliveryApi::redeliver(const Call& call, Outgoing& outgoing) {
  auto search = find(call);
  if (auto* problem = std::get_if<Problem>(&search)) return refuse(*problem);
  const Found& found = std::get<Found>(search);
  const Webhook* webhook = registry_.find(found.facts.webhook_number);
  if (webhook == nullptr) return refuse(refusal(409, "the delivery's webhook was deleted"));
  if (!webhook->active()) return refuse(refusal(409, "the delivery's webhook is not active"));
  std::vector<std::string> replaced;
  auto repeated = repeat(found, *webhook, call, replaced);
  if (auto* problem = std::get_if<Problem>(&repeated)) return refuse(*problem);
  outgoing = {std::move(std::get<EventRef>(repeated)),
              subscription::owner_shard(*webhook, shard_count_)};
  Answer answer = answer_new(outgoing, *webhook);
  answer.change = {.operation = "delivery.redeliver",
                   .object = found.facts.id.to_text(),
                   .members = std::move(replaced),
                   .organization = {}};
  return answer;
}

Answer DeliveryApi::ping(const Call& call, Outgoing& outgoing) {
  const auto id = Ulid::parse(call.id());
  const Webhook* webhook = id ? registry_.find(call.organization, *id) : nullptr;
  if (webhook == nullptr || !call.token->covers(webhook->sources)) {
    return refuse(refusal(404, "there is no such webhook"));
  }
  if (auto problem = refuse_members(call)) return refuse(*problem);
  if (!webhook->active()) {
    return refuse(refusal(409, "the webhook is not active: enable it before you try it out"));
  }
  const std::string data = dialect::of(*webhook).ping(*webhook, call.base_url);
  outgoing = ping_for(*webhook, data, call.now, random_, shard_count_);
  Answer answer = answer_new(outgoing, *webhook);
  answer.change = {.operation = "webhook.ping",
                   .object = webhook->id.to_text(),
                   .members = {},
                   .organization = {}};
  return answer;
}

/// A delivery that waits for its event to be durable.
Answer DeliveryApi::answer_new(const Outgoing& outgoing, const Webhook& webhook) {
  DeliveryFacts facts;
  facts.webhook_number = webhook.number;
  facts.id = journal::delivery_id(outgoing.event->view().uid, webhook.number);
  std::string body;
  JsonWriter json(body);
  begin_delivery(json, {facts, outgoing.event->view(), &webhook});
  json.key("attempts").begin_array().end_array().end_object();
  Answer answer = answer_json(202, std::move(body));
  answer.response.headers.push_back({"Location", "/v1/deliveries/" + facts.id.to_text()});
  answer.when = Answer::When::stored;
  return answer;
}

/// @param replaced  gets the names of what the request puts in the place of stored members.
std::variant<EventRef, Problem> DeliveryApi::repeat(const Found& found, const Webhook& webhook,
                                                    const Call& call,
                                                    std::vector<std::string>& replaced) {
  JsonBody body;
  Overrides overrides;
  if (auto problem = body.parse_optional(call.request.body, "data")) return *problem;
  if (auto problem = read_overrides(body, dialect::of(webhook), overrides)) return *problem;
  replaced = member_names(body.root());
  EventView event = repetition(found.event->view(), found.facts.id);
  if (!overrides.data.empty()) event.data = as_bytes(overrides.data);
  if (!overrides.headers.empty()) event.header_overrides = overrides.headers;
  return encode_for(event, webhook.number, call.now, random_);
}

// --- events --------------------------------------------------------------------------------------

std::vector<History::EventFacts> DeliveryApi::events_of(const Call& call, const std::string& source,
                                                        std::vector<EventRef>& events) {
  std::vector<History::EventFacts> found;
  const std::string id = decode_path_segment(call.id());
  auto candidates = history_.events(call.organization, id);
  if (candidates.size() > events_looked_at_max) candidates.resize(events_looked_at_max);
  for (const History::EventFacts& candidate : candidates) {
    if (found.size() == events_of_one_id_max) break;
    auto event = journals_.read_event(candidate.position);
    if (!event) continue;
    const EventView& view = (*event)->view();
    if (view.id != id || !may_see(call, view)) continue;
    if (!source.empty() && view.source != source) continue;
    found.push_back(candidate);
    events.push_back(std::move(*event));
  }
  return found;
}

namespace {

void write_event(JsonWriter& json, const EventView& event) {
  json.begin_object().member("id", event.id).member("source", event.source);
  json.member("type", event.type).member("accepted_at", to_rfc3339(event.accepted_at));
  const auto optional = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) json.member(name, value);
  };
  optional("time", event.time);
  optional("subject", event.subject);
  optional("datacontenttype", event.data_content_type);
  optional("branch", event.branch);
  optional("orderingkey", event.ordering_key);
  optional("traceparent", event.trace_parent);
  if (!event.extensions.empty()) json.key("extensions").raw(event.extensions);
  json.key("data");
  if (event.data.empty()) {
    json.null();
  } else {
    json.raw(as_text(event.data));
  }
}

}  // namespace

Answer DeliveryApi::show_event(const Call& call) {
  auto parsed = parse_query(call.request.query, {"source"});
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const auto source = std::get<http::QueryParameters>(parsed).find("source");
  std::vector<EventRef> events;
  const auto found = events_of(call, std::string{source.value_or("")}, events);
  if (found.empty()) return refuse(refusal(404, "there is no such event"));

  // Redeliveries are events of their own with the first one's id: shown with it. The newest event
  // that is none of them is meant, if several sources used the id.
  size_t chosen = 0;
  while (chosen + 1 < events.size() && events[chosen]->view().is_redelivery()) ++chosen;
  const EventView& event = events[chosen]->view();
  std::string body;
  JsonWriter json(body);
  write_event(json, event);
  json.key("deliveries").begin_array();
  for (size_t index = 0; index < events.size(); ++index) {
    const EventView& view = events[index]->view();
    if (view.source != event.source) continue;
    for (const DeliveryFacts& facts : history_.deliveries_of(found[index].index)) {
      const Webhook* webhook = registry_.find(facts.webhook_number);
      if (webhook != nullptr && !may_see(call, *webhook)) continue;
      begin_delivery(json, {facts, view, webhook});
      json.end_object();
    }
  }
  json.end_array().end_object();
  return answer_json(200, std::move(body));
}

}  // namespace ringpost::control
