#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/delivery_json.h"
#include "control/api/history.h"
#include "control/management_desk.h"
#include "crypto/base64.h"
#include "dialect/content.h"
#include "dialect/dialect.h"
#include "dialect/matcher.h"

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
  const VisibleHistory::View visible = history_.of(call.organization, call.now);
  const auto ask = [&] {
    return visible.events(
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
    const auto deliveries =
        history_.of(call.organization, call.now).deliveries_of(found->facts[index]);
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

Answer EventApi::list(const Call& call) {
  auto parsed = parse_list_query(call.request, ListKind::events);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  return answer_page(call, query, write_event_summary);
}

// --- dry run -------------------------------------------------------------------------------------

Answer EventApi::dry_run(const Call& call) {
  JsonBody body;
  if (auto problem = body.parse(call.request.body)) return refuse(*problem);
  Webhook webhook;
  webhook.organization = call.organization;
  if (auto problem = create_webhook(body, checks_, *call.token, webhook)) return refuse(*problem);
  return try_events(call, std::move(webhook));
}

/// The webhook that the path names, with the changes of the body.
std::variant<Webhook, Problem> EventApi::changed_webhook(const Call& call) {
  const auto id = Ulid::parse_either(call.id());
  const Webhook* stored = id ? registry_.find(call.organization, *id) : nullptr;
  if (stored == nullptr || !may_see(call, *stored)) {
    return refusal(404, "there is no such webhook");
  }
  JsonBody body;
  if (auto problem = body.parse_optional(call.request.body)) return *problem;
  Webhook webhook = *stored;
  if (auto problem = patch_webhook(body, checks_, *call.token, webhook)) return *problem;
  return webhook;
}

Answer EventApi::dry_run_of(const Call& call) {
  auto changed = changed_webhook(call);
  if (auto* problem = std::get_if<Problem>(&changed)) return refuse(*problem);
  return try_events(call, std::move(std::get<Webhook>(changed)));
}

/// Why a webhook would not receive an event; empty: it would.
std::string why_not(dialect::Matcher& matcher, const Webhook& webhook, const EventView& event) {
  if (webhook.organization != event.organization) return "it is of another organization";
  std::string reason = matcher.why_not(webhook, event);
  if (reason.empty() && !dialect::of(webhook).can_send(event)) reason = no_request_reason;
  return reason;
}

Answer EventApi::try_events(const Call& call, Webhook webhook) {
  if (!call.token->covers(webhook.sources)) return refuse(beyond_token());
  auto parsed = parse_list_query(call.request, ListKind::events);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  webhook.rule = dialect::make_rule(webhook);
  dialect::Matcher matcher;
  const auto write_item = [&](JsonWriter& json, const EventView& event) {
    const std::string reason = why_not(matcher, webhook, event);
    json.begin_object().member("would_receive", reason.empty()).key("reason");
    reason.empty() ? json.null() : json.value(reason);
    json.key("event");
    write_event_summary(json, event);
    json.end_object();
  };
  return answer_page(call, std::get<ListQuery>(parsed), write_item);
}

Result<void> EventApi::fill(EventPage& page, const Call& call, const ListQuery& query) {
  if (!query.id) return page.fill();
  const auto found = events_of(call, *query.id, query.filter.source);
  if (!found) return found.error();
  page.fill(found->facts, found->events);
  return {};
}

Answer EventApi::answer_page(const Call& call, const ListQuery& query,
                             const EventPage::WriteItem& write_item) {
  EventPage page(query, call, {registry_, history_, journals_}, write_item);
  if (const auto filled = fill(page, call, query); !filled) {
    return refuse(history_unreadable(filled.error()));
  }
  return answer_json(200, page.finish());
}

}  // namespace ringpost::control
