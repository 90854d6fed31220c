#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/delivery_json.h"
#include "control/api/history.h"
#include "crypto/base64.h"
#include "dialect/content.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using journal::EventRef;
using journal::EventView;
using subscription::Webhook;

namespace {

/// How many events of one id are shown with it.
constexpr size_t events_of_one_id_max = 100;

}  // namespace

// --- events --------------------------------------------------------------------------------------

/// Hashes of ids can collide, and an id is unique within its source only.
Result<EventApi::Found> EventApi::events_of(const Call& call, std::string id,
                                            const std::optional<std::string>& source) {
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
  Found found{.facts = {}, .events = {}, .cut = candidates->cut};
  for (const index::EventFacts& candidate : candidates->items) {
    if (found.facts.size() == events_of_one_id_max) break;
    auto event = journals_.read_event(candidate.position);
    if (!event) continue;
    const EventView& view = (*event)->view();
    if (view.id != id || !may_see(call, view)) continue;
    if (source && view.source != *source) continue;
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

/// Members of an event without its data; the object stays open.
void begin_event(JsonWriter& json, const EventView& event) {
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
}

}  // namespace

Answer EventApi::show(const Call& call) {
  auto parsed = parse_query(call.request.query, {"source"});
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const auto source = std::get<http::QueryParameters>(parsed).find("source");
  const auto found = events_of(call, decode_path_segment(call.id()),
                               source ? std::optional<std::string>{*source} : std::nullopt);
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
  begin_event(json, event);
  write_data(json, event);
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

// --- the list ------------------------------------------------------------------------------------

namespace {

/// One page of events in the making. Redeliveries are no events: they are shown with the one that
/// they repeat.
class Page {
 public:
  struct Sources {
    const WebhookRegistry& registry;
    index::Index& history;
    JournalAccess& journals;
  };

  Page(const ListQuery& query, const Call& call, const Sources& sources)
      : query_(query),
        call_(call),
        registry_(sources.registry),
        history_(sources.history),
        journals_(sources.journals),
        budget_(sources.history),
        json_(body_) {
    json_.begin_object().key("items").begin_array();
  }

  Result<void> fill() {
    rest_ = query_.before();
    const index::PageQuery wanted = page_query(query_.filter, history_.hash());
    do {
      const auto found = history_.event_list({.before = rest_,
                                              .type_hash = wanted.type_hash,
                                              .source_hash = wanted.source_hash,
                                              .since = wanted.since,
                                              .until = wanted.until,
                                              .limit = query_.limit - items_,
                                              .entries_max = budget_.entries(),
                                              .pages_max = budget_.index_pages()});
      if (!found) return found.error();
      budget_.note_entries(found->passed);
      add(*found);
      cut_ |= rest_ && budget_.spent();
    } while (rest_ && !cut_ && items_ < query_.limit);
    cut_ &= items_ < query_.limit;
    return {};
  }

  /// @param events  the newest first. @param facts  of each.
  void fill(const std::vector<index::EventFacts>& facts, const std::vector<EventRef>& events) {
    const auto before = query_.before();
    for (size_t index = 0; index < events.size(); ++index) {
      if (before && facts[index].uid >= *before) continue;
      if (items_ == query_.limit) return;
      add(events[index]->view());
      rest_ = facts[index].uid;
    }
    rest_.reset();
  }

  std::string finish() {
    json_.end_array();
    write_next_cursor(json_, query_, rest_ ? &*rest_ : nullptr);
    json_.member("cut", cut_).end_object();
    return std::move(body_);
  }

 private:
  void add(const index::EventList& found) {
    for (const index::MatchedEvent& event : found.items) {
      cut_ = !budget_.may_read_event();
      if (cut_) return;
      if (may_be_ours(event)) {
        const auto read = journals_.read_event(event.facts.position);
        budget_.note_event(read ? (*read)->record().size() : 0);
        if (read) add((*read)->view());  // What is damaged has no members to show.
      }
      rest_ = event.facts.uid;
    }
    rest_ = found.next_before;
    cut_ = found.cut;
  }

  /// As far as its webhooks tell: they are of its organization.
  bool may_be_ours(const index::MatchedEvent& event) const {
    for (const uint32_t number : event.webhook_numbers) {
      const Webhook* webhook = registry_.find(number);
      if (webhook != nullptr) return webhook->organization == call_.organization;
    }
    return true;
  }

  void add(const EventView& event) {
    if (event.is_redelivery() || !may_see(call_, event) || !is_meant(query_.filter, event)) return;
    begin_event(json_, event);
    json_.member("delivery_count", event.webhook_count()).end_object();
    ++items_;
  }

  const ListQuery& query_;
  const Call& call_;
  const WebhookRegistry& registry_;
  index::Index& history_;
  JournalAccess& journals_;
  PageBudget budget_;
  std::string body_;
  JsonWriter json_;
  uint32_t items_ = 0;
  std::optional<Ulid> rest_;  // Smaller uids; nothing: none are left.
  bool cut_ = false;
};

}  // namespace

Answer EventApi::list(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::events);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  Page page(query, call, {registry_, history_, journals_});
  if (query.id) {
    const auto found = events_of(call, *query.id, query.filter.source);
    if (!found) return refuse(history_unreadable(found.error()));
    page.fill(found->facts, found->events);
  } else if (const auto filled = page.fill(); !filled) {
    return refuse(history_unreadable(filled.error()));
  }
  return answer_json(200, page.finish());
}

}  // namespace ringpost::control
