#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/delivery_json.h"
#include "control/api/history.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using index::DeliveryPlace;
using journal::EventRef;
using journal::EventView;
using subscription::Webhook;

namespace {

/// One page of deliveries in the making: of one webhook, or of all that the caller may see.
class Page {
 public:
  struct Sources {
    const WebhookRegistry& registry;
    const VisibleHistory& history;
    JournalAccess& journals;
  };

  Page(const ListQuery& query, const Webhook* webhook, const Call& call, const Sources& sources)
      : query_(query),
        webhook_(webhook),
        call_(call),
        registry_(sources.registry),
        history_(sources.history),
        journals_(sources.journals),
        budget_(sources.history),
        json_(body_) {
    json_.begin_object().key("items").begin_array();
  }

  Result<void> fill() {
    rest_ = query_.cursor;
    do {
      index::PageQuery next = history_query();
      next.before = rest_;
      next.limit = query_.limit - items_;
      next.entries_max = budget_.entries();
      next.pages_max = budget_.index_pages();
      const auto found = visible().page(next);
      if (!found) return found.error();
      budget_.note_entries(found->passed);
      add(*found);
      cut_ |= rest_ && budget_.spent();
    } while (rest_ && !cut_ && items_ < query_.limit);
    cut_ &= items_ < query_.limit;
    return {};
  }

  /// Only what repeats a delivery of this event. A redelivery's event has the same id.
  Result<void> fill_redeliveries(const EventView& repeated) {
    const auto found =
        visible().events({.id_hash = history_.hash().of(repeated.organization, repeated.id),
                          .limit = events_looked_at_max});
    if (!found) return found.error();
    cut_ = found->cut;
    const index::PageQuery wanted = history_query();
    for (const index::EventFacts& event : found->items) {
      auto deliveries = visible().deliveries_of(event);
      if (!deliveries) return deliveries.error();
      for (auto facts = deliveries->rbegin(); facts != deliveries->rend(); ++facts) {
        if (!is_redelivery_wanted(wanted, *facts)) continue;
        if (items_ == query_.limit) return {};
        if (!budget_.may_read_event()) {
          cut_ = true;
          return {};
        }
        add(*facts);
        rest_ = place_of(*facts);
      }
    }
    rest_.reset();
    return {};
  }

  std::string finish() {
    json_.end_array();
    write_next_cursor(json_, query_, rest_);
    json_.member("cut", cut_).end_object();
    return std::move(body_);
  }

 private:
  static DeliveryPlace place_of(const DeliveryFacts& facts) {
    return {facts.event.uid, facts.webhook_number};
  }

  VisibleHistory::View visible() const { return history_.of(call_.organization, call_.now); }

  index::PageQuery history_query() const {
    index::PageQuery query = page_query(query_.filter, history_.hash());
    if (webhook_ != nullptr) {
      query.webhook_number = webhook_->number;
    } else {
      query.wants_webhook = [this](uint32_t number) { return may_be_seen(number); };
    }
    return query;
  }

  /// Whose the deliveries of a deleted webhook are, only their events tell.
  bool may_be_seen(uint32_t webhook_number) const {
    const Webhook* webhook = registry_.find(webhook_number);
    return webhook == nullptr || may_see(call_, *webhook);
  }

  bool is_redelivery_wanted(const index::PageQuery& wanted, const DeliveryFacts& facts) const {
    if (query_.cursor && place_of(facts) >= *query_.cursor) return false;
    if (wanted.webhook_number && facts.webhook_number != *wanted.webhook_number) return false;
    return wanted.wants(facts.state);
  }

  void add(const index::Page& found) {
    for (const DeliveryFacts& facts : found.items) {
      cut_ = !budget_.may_read_event();
      if (cut_) return;
      add(facts);
      rest_ = place_of(facts);
    }
    rest_ = found.next_before;
    cut_ = found.cut;
  }

  void add(const DeliveryFacts& facts) {
    const Webhook* webhook = registry_.find(facts.webhook_number);
    const Result<EventRef> event = journals_.read_event(facts.event.position);
    budget_.note_event(event ? (*event)->record().size() : 0);
    const EventView unknown;  // Damaged or removed: the delivery is listed all the same.
    const EventView& view = event ? (*event)->view() : unknown;
    if (event && !is_wanted(view)) return;
    const bool by_event = webhook == nullptr || call_.token->restricted();
    if (by_event ? !event || !may_see(call_, view) : !may_be_seen(facts.webhook_number)) return;
    if (query_.text && !mentions(facts, view, *query_.text)) return;
    begin_delivery(json_, {facts, view, webhook, call_.now,
                           registry_.receivers().waits_until(facts.webhook_number, call_.now)});
    const auto& records = facts.state.records;
    const auto outcome = records.empty()
                             ? Result<JournalAccess::StoredOutcome>{Error{Errc::not_found}}
                             : journals_.read_outcome(records.front());
    write_last_attempt(json_, facts, outcome ? &outcome->view : nullptr);
    json_.end_object();
    ++items_;
  }

  /// In the event's data, or in what one of the attempts sent and got back.
  bool mentions(const DeliveryFacts& facts, const EventView& event, std::string_view text) {
    if (contains_text(event.data, text)) return true;
    return std::ranges::any_of(facts.state.records, [&](journal::Position record) {
      const auto outcome = journals_.read_outcome(record);
      if (!outcome) return false;
      const journal::OutcomeView& view = outcome->view;
      budget_.note_event(view.request_body.size() + view.response_body.size());
      return contains_text(view.response_body, text) || contains_text(view.request_body, text) ||
             contains_text(as_bytes(view.response_head), text) ||
             contains_text(as_bytes(view.request_head), text);
    });
  }

  bool is_wanted(const EventView& event) const {
    return is_meant(query_.filter, event) && is_repeat_of(event, query_.redelivery_of);
  }

  const ListQuery& query_;
  const Webhook* const webhook_;
  const Call& call_;
  const WebhookRegistry& registry_;
  const VisibleHistory& history_;
  JournalAccess& journals_;
  PageBudget budget_;
  std::string body_;
  JsonWriter json_;
  uint32_t items_ = 0;
  std::optional<DeliveryPlace> rest_;  // Smaller ones; nothing: none are left.
  bool cut_ = false;
};

}  // namespace

Answer DeliveryApi::list(const Call& call) {
  const auto id = Ulid::parse_either(call.id());
  const Webhook* webhook = id ? management_.webhook(call.organization, *id) : nullptr;
  if (webhook == nullptr) return refuse(refusal(404, "there is no such webhook"));
  auto parsed = parse_list_query(call.request, ListKind::webhook_deliveries);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  return list(call, std::get<ListQuery>(parsed), webhook);
}

Answer DeliveryApi::list_all(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::deliveries);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  if (!query.filter.webhook) return list(call, query, nullptr);
  const Webhook* webhook = management_.webhook(call.organization, *query.filter.webhook);
  if (webhook == nullptr) {
    return refuse(api::refusal_of_member(400, "webhook", "is not the id of a webhook"));
  }
  return list(call, query, webhook);
}

/// @param webhook  null: all that the caller may see.
Answer DeliveryApi::list(const Call& call, const ListQuery& query, const Webhook* webhook) {
  Page page(query, webhook, call, {registry_, history_, journals_});
  Result<void> filled;
  if (query.redelivery_of) {
    auto search = find(call, query.redelivery_of);
    if (auto* problem = std::get_if<Problem>(&search)) {
      if (problem->status != 404) return refuse(*problem);
      return refuse(api::refusal_of_member(400, "redelivery_of",
                                           "is not the id of a delivery in the history"));
    }
    filled = page.fill_redeliveries(std::get<Found>(search).event->view());
  } else {
    filled = page.fill();
  }
  if (!filled) return refuse(history_unreadable(filled.error()));
  return answer_json(200, page.finish());
}

}  // namespace ringpost::control
