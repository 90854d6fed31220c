#include "control/api/event_page.h"

#include <utility>

namespace ringpost::control {

using journal::EventRef;
using journal::EventView;
using subscription::Webhook;

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

void write_event_summary(JsonWriter& json, const EventView& event) {
  begin_event(json, event);
  json.member("delivery_count", event.webhook_count()).end_object();
}

EventPage::EventPage(const ListQuery& query, const api::Call& call, const Sources& sources,
                     const WriteItem& write_item)
    : query_(query),
      call_(call),
      registry_(sources.registry),
      history_(sources.history),
      journals_(sources.journals),
      write_item_(write_item),
      budget_(sources.history),
      json_(body_) {
  json_.begin_object().key("items").begin_array();
}

Result<void> EventPage::fill() {
  rest_ = query_.before();
  const index::PageQuery wanted = page_query(query_.filter, history_.hash());
  const VisibleHistory::View visible = history_.of(call_.organization, call_.now);
  do {
    const auto found = visible.event_list({.before = rest_,
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

void EventPage::fill(const std::vector<index::EventFacts>& facts,
                     const std::vector<EventRef>& events) {
  const auto before = query_.before();
  for (size_t index = 0; index < events.size(); ++index) {
    if (before && facts[index].uid >= *before) continue;
    if (items_ == query_.limit) return;
    add(events[index]->view());
    rest_ = facts[index].uid;
  }
  rest_.reset();
}

void EventPage::add(const index::EventList& found) {
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
bool EventPage::may_be_ours(const index::MatchedEvent& event) const {
  for (const uint32_t number : event.webhook_numbers) {
    const Webhook* webhook = registry_.find(number);
    if (webhook != nullptr) return webhook->organization == call_.organization;
  }
  return true;
}

void EventPage::add(const EventView& event) {
  if (event.is_redelivery() || !may_see(call_, event) || !is_meant(query_.filter, event)) return;
  if (query_.text && !contains_text(event.data, *query_.text)) return;
  write_item_(json_, event);
  ++items_;
}

std::string EventPage::finish() {
  json_.end_array();
  write_next_cursor(json_, query_, rest_ ? &*rest_ : nullptr);
  json_.member("cut", cut_).end_object();
  return std::move(body_);
}

}  // namespace ringpost::control
