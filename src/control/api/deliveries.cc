#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/delivery_json.h"
#include "crypto/base64.h"
#include "dialect/content.h"
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

/// What one page may cost: deliveries passed over, pages of index files read, and events read (of
/// which a token that is restricted to some sources may see few). A page that stops here has fewer
/// items than its limit, says that it was cut, and has a cursor to go on from.
constexpr uint32_t entries_per_page_max = 20'000;
constexpr uint64_t index_pages_per_page_max = 150;
constexpr uint32_t events_per_page_max = 1000;

/// Events of one id, each a read of the journal: how many are shown with it, and how many of other
/// sources are passed over to find them.
constexpr size_t events_of_one_id_max = 100;
constexpr size_t events_looked_at_max = 1000;

Problem no_delivery() {
  return refusal(404, "there is no such delivery");
}

Problem history_unreadable(const Error& error) {
  Problem problem = refusal(503, "the history cannot be read for now: " + describe(error));
  problem.retry_after_s = 1;
  return problem;
}

/// What is not found may be in a segment that no index tells of yet.
std::optional<Problem> still_indexing(const JournalAccess& journals) {
  const uint64_t segments = journals.unindexed();
  if (segments == 0) return std::nullopt;
  Problem problem =
      refusal(503, "it was not found yet: the indexes of " + std::to_string(segments) +
                       " journal segments are still being made; try again shortly");
  problem.retry_after_s = 1;
  return problem;
}

Problem unreadable(const Error& error) {
  if (error.code == Errc::not_found) return refusal(404, "the event is no longer stored");
  return refusal(503, "the stored event cannot be read: " + describe(error));
}

// What belongs to another organization, or to a source that the token may not touch, looks unknown.

bool may_see(const Call& call, const Webhook& webhook) {
  return webhook.organization == call.organization && call.token->covers(webhook.sources);
}
bool may_see(const Call& call, const EventView& event) {
  return event.organization == call.organization && call.token->may_touch(event.source);
}

/// The index knows hashes of types, and times in whole milliseconds.
bool wanted(const ListQuery& query, const EventView& event) {
  if (query.type && event.type != *query.type) return false;
  if (query.since && event.accepted_at < *query.since) return false;
  return !query.until || event.accepted_at < *query.until;
}

}  // namespace

// --- lists ---------------------------------------------------------------------------------------

namespace {

/// One page of a webhook's deliveries in the making.
class Page {
 public:
  /// @param paused_until  as DeliveryParts::paused_until.
  Page(const ListQuery& query, const Webhook& webhook, WallTime paused_until, const Call& call,
       JournalAccess& journals)
      : query_(query),
        webhook_(webhook),
        paused_until_(paused_until),
        token_(*call.token),
        now_(call.now),
        journals_(journals),
        json_(body_) {
    json_.begin_object().key("items").begin_array();
  }

  Result<void> fill(index::Index& history) {
    rest_ = query_.cursor;
    const uint64_t pages_end = history.pages_read() + index_pages_per_page_max;
    uint32_t entries_left = entries_per_page_max;
    do {
      const auto found = history.page({.webhook_number = webhook_.number,
                                       .before = rest_,
                                       .status = query_.status,
                                       .type_hash = hash_of_type(history),
                                       .since = query_.since,
                                       .until = query_.until,
                                       .limit = query_.limit - items_,
                                       .entries_max = entries_left,
                                       .pages_max = pages_end - history.pages_read()});
      if (!found) return found.error();
      entries_left -= std::min(entries_left, found->passed);
      add(*found);
      cut_ |= rest_ && (entries_left == 0 || history.pages_read() >= pages_end);
    } while (rest_ && !cut_ && items_ < query_.limit);
    cut_ &= items_ < query_.limit;
    return {};
  }

  std::string finish() {
    json_.end_array();
    write_next_cursor(json_, ListKind::deliveries, rest_ ? &*rest_ : nullptr);
    json_.member("cut", cut_).end_object();
    return std::move(body_);
  }

 private:
  std::optional<uint32_t> hash_of_type(const index::Index& history) const {
    return query_.type ? std::optional{history.hash().of(*query_.type)} : std::nullopt;
  }

  void add(const index::Page& found) {
    for (const DeliveryFacts& facts : found.items) {
      cut_ = events_read_ == events_per_page_max;
      if (cut_) return;
      ++events_read_;
      add(facts);
      rest_ = facts.event.uid;
    }
    rest_ = found.next_before;
    cut_ = found.cut;
  }

  void add(const DeliveryFacts& facts) {
    const Result<EventRef> event = journals_.read_event(facts.event.position);
    const EventView unknown;  // Damaged or removed: the delivery is listed all the same.
    const EventView& view = event ? (*event)->view() : unknown;
    if (event && !wanted(query_, view)) return;
    if (token_.restricted() && !token_.may_touch(view.source)) return;
    begin_delivery(json_, {facts, view, &webhook_, now_, paused_until_});
    const auto& records = facts.state.records;
    const auto outcome = records.empty()
                             ? Result<JournalAccess::StoredOutcome>{Error{Errc::not_found}}
                             : journals_.read_outcome(records.front());
    write_last_attempt(json_, facts, outcome ? &outcome->view : nullptr);
    json_.end_object();
    ++items_;
  }

  const ListQuery& query_;
  const Webhook& webhook_;
  const WallTime paused_until_;
  const subscription::Token& token_;
  const WallTime now_;
  JournalAccess& journals_;
  std::string body_;
  JsonWriter json_;
  uint32_t items_ = 0;
  uint32_t events_read_ = 0;
  std::optional<Ulid> rest_;  // Of events with a smaller uid; nothing: none are left.
  bool cut_ = false;
};

}  // namespace

Answer DeliveryApi::list(const Call& call) {
  const auto id = Ulid::parse_either(call.id());
  const Webhook* webhook = id ? management_.webhook(call.organization, *id) : nullptr;
  if (webhook == nullptr) return refuse(refusal(404, "there is no such webhook"));
  auto parsed = parse_list_query(call.request.query, ListKind::deliveries);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  Page page(query, *webhook, paused_until(call, webhook->number), call, journals_);
  if (const auto filled = page.fill(history_); !filled) {
    return refuse(history_unreadable(filled.error()));
  }
  return answer_json(200, page.finish());
}

// --- one delivery --------------------------------------------------------------------------------

std::variant<DeliveryApi::Found, Problem> DeliveryApi::find(const Call& call) {
  const auto id = Ulid::parse_either(call.id());
  if (!id) return no_delivery();
  auto search = history_.delivery(*id);
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
  auto search = find(call);
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
  auto search = find(call);
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

// --- events --------------------------------------------------------------------------------------

namespace {

/// An event that came without an id has one of the relay's, which may be spelled as a UUID.
std::string other_spelling(const std::string& id) {
  const auto minted = Ulid::parse_either(id);
  return minted ? minted->to_text() : id;
}

}  // namespace

/// Hashes of ids can collide, and an id is unique within its source only.
Result<DeliveryApi::FoundEvents> DeliveryApi::events_of(const Call& call,
                                                        const std::string& source) {
  std::string id = decode_path_segment(call.id());
  const auto ask = [&] {
    return history_.events(
        {.id_hash = history_.hash().of(call.organization, id), .limit = events_looked_at_max});
  };
  auto candidates = ask();
  if (candidates && candidates->items.empty() && other_spelling(id) != id) {
    id = other_spelling(id);
    candidates = ask();
  }
  if (!candidates) return candidates.error();
  FoundEvents found{.facts = {}, .events = {}, .cut = candidates->cut};
  for (const index::EventFacts& candidate : candidates->items) {
    if (found.facts.size() == events_of_one_id_max) break;
    auto event = journals_.read_event(candidate.position);
    if (!event) continue;
    const EventView& view = (*event)->view();
    if (view.id != id || !may_see(call, view)) continue;
    if (!source.empty() && view.source != source) continue;
    found.facts.push_back(candidate);
    found.events.push_back(std::move(*event));
  }
  return found;
}

namespace {

Problem no_event(bool cut) {
  if (!cut) return refusal(404, "there is no such event");
  return refusal(404,
                 "there is no such event in the newest part of the history; the search ended "
                 "there, because it had read too much");
}

}  // namespace

namespace {

/// As CloudEvents' JSON format has it (3.1), but that no data is null.
void write_data(JsonWriter& json, const EventView& event) {
  switch (dialect::content_of(event)) {
    case dialect::Content::none: json.key("data").null(); return;
    case dialect::Content::json: json.key("data").raw(as_text(event.data)); return;
    case dialect::Content::text: json.member("data", as_text(event.data)); return;
    case dialect::Content::bytes:
      json.member("data_base64", crypto::base64_encode(event.data));
      return;
  }
}

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
  write_data(json, event);
}

}  // namespace

Answer DeliveryApi::show_event(const Call& call) {
  auto parsed = parse_query(call.request.query, {"source"});
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const auto source = std::get<http::QueryParameters>(parsed).find("source");
  const auto found = events_of(call, std::string{source.value_or("")});
  if (!found) return refuse(history_unreadable(found.error()));
  const std::vector<EventRef>& events = found->events;
  if (events.empty()) return refuse(still_indexing(journals_).value_or(no_event(found->cut)));

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
    const auto deliveries = history_.deliveries_of(found->facts[index]);
    if (!deliveries) return refuse(history_unreadable(deliveries.error()));
    for (const DeliveryFacts& facts : *deliveries) {
      const Webhook* webhook = registry_.find(facts.webhook_number);
      if (webhook != nullptr && !may_see(call, *webhook)) continue;
      begin_delivery(json, {facts, view, webhook, call.now});
      json.end_object();
    }
  }
  json.end_array().end_object();
  return answer_json(200, std::move(body));
}

}  // namespace ringpost::control
