#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/api/history.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using index::HourRange;
using index::Totals;
using subscription::Webhook;

namespace {

constexpr uint32_t day_hours = 24;
constexpr uint32_t days_default = 30;
constexpr uint32_t steps_max = 1000;

uint32_t round_down(uint32_t hour, uint32_t step_hours) {
  return hour / step_hours * step_hours;
}

/// Whole steps, the last of them with `until` or now in it, whichever is first.
HourRange steps_of(const ListQuery& query, uint32_t step_hours, WallTime now) {
  const WallTime until = std::clamp(query.filter.until.value_or(now), WallTime{}, now);
  const bool whole = until == index::begin_of_hour(index::hour_of(until)) && query.filter.until;
  const uint32_t last = index::hour_of(until) - (whole && until > WallTime{} ? 1 : 0);
  HourRange hours{.begin = 0, .end = round_down(last, step_hours) + step_hours};
  const uint32_t asked = step_hours == 1 ? day_hours : days_default * day_hours;
  const uint32_t since = query.filter.since ? index::hour_of(*query.filter.since)
                                            : hours.end - std::min(asked, hours.end);
  hours.begin = std::min(round_down(since, step_hours), hours.end);
  return hours;
}

void write_percentile(JsonWriter& json, std::string_view name, const Totals& totals,
                      unsigned percent) {
  json.key(name);
  const auto ms = totals.latencies.percentile_ms(percent);
  if (ms) {
    json.value(*ms);
  } else {
    json.null();
  }
}

/// Its first members are written; the object ends.
void end_item(JsonWriter& json, const Totals& totals) {
  json.member("events", totals.events).member("delivered", totals.delivered);
  json.member("failed", totals.failed).member("dead", totals.dead);
  json.member("cancelled", totals.cancelled);
  write_percentile(json, "p50_ms", totals, 50);
  write_percentile(json, "p99_ms", totals, 99);
  json.end_object();
}

const Totals& totals_at(const index::TotalsAnswer& answer, uint32_t key) {
  static const Totals nothing;
  const auto found = answer.items.find(key);
  return found == answer.items.end() ? nothing : found->second;
}

/// What all answers have, before `items`.
void begin_answer(JsonWriter& json, const index::TotalsAnswer& answer, const HourRange& asked,
                  uint32_t step_hours, bool indexing) {
  json.begin_object().member("step_s", step_hours * 3600);
  json.member("since", to_rfc3339(index::begin_of_hour(answer.complete_from)));
  json.member("until", to_rfc3339(index::begin_of_hour(asked.end)));
  json.member("cut", answer.complete_from > asked.begin).key("history_since");
  if (answer.oldest_hour) {
    json.value(to_rfc3339(index::begin_of_hour(*answer.oldest_hour)));
  } else {
    json.null();
  }
  json.member("indexing", indexing).key("items").begin_array();
}

}  // namespace

Answer TotalsApi::of_webhook(const Call& call) {
  const auto id = Ulid::parse_either(call.id());
  const Webhook* webhook = id ? registry_.find(call.organization, *id) : nullptr;
  if (webhook == nullptr || !may_see(call, *webhook)) {
    return refuse(refusal(404, "there is no such webhook"));
  }
  if (call.token->restricted()) return refuse_restricted();
  auto parsed = parse_list_query(call.request, ListKind::webhook_totals);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  return by_time(call, std::get<ListQuery>(parsed), webhook);
}

Answer TotalsApi::of_organization(const Call& call) {
  if (call.token->restricted()) return refuse_restricted();
  auto parsed = parse_list_query(call.request, ListKind::totals);
  if (auto* problem = std::get_if<Problem>(&parsed)) return refuse(*problem);
  const ListQuery& query = std::get<ListQuery>(parsed);
  if (query.by_webhook) return by_webhook(call, query);
  if (!query.filter.webhook) return by_time(call, query, nullptr);
  const Webhook* webhook = registry_.find(call.organization, *query.filter.webhook);
  if (webhook == nullptr) {
    return refuse(api::refusal_of_member(400, "webhook", "is not the id of a webhook"));
  }
  return by_time(call, query, webhook);
}

/// They count what other tokens may see alone, and cannot be taken apart.
Answer TotalsApi::refuse_restricted() {
  return refuse(refusal(403,
                        "totals count the deliveries of all sources: this requires a token that is "
                        "not restricted to some sources"));
}

/// @param webhook  null: all of the organization.
Answer TotalsApi::by_time(const Call& call, const ListQuery& query, const Webhook* webhook) {
  const uint32_t step = query.step_hours;
  const HourRange asked = steps_of(query, step, call.now);
  index::TotalsQuery wanted{.hours = asked, .step_hours = step};
  wanted.hours.begin = std::max(asked.begin, asked.end - std::min(asked.end, steps_max * step));
  if (webhook != nullptr) {
    wanted.webhook_number = webhook->number;
  } else {
    wanted.wants_webhook = [&](uint32_t number) { return is_of(call, number); };
  }
  const auto found = history_.of(call.organization, call.now).totals(wanted);
  if (!found) return refuse(history_unreadable(found.error()));
  std::string body;
  JsonWriter json(body);
  begin_answer(json, *found, asked, step, journals_.unindexed() > 0);
  for (uint32_t hour = found->complete_from; hour < asked.end; hour += step) {
    json.begin_object().member("at", to_rfc3339(index::begin_of_hour(hour)));
    end_item(json, totals_at(*found, hour));
  }
  json.end_array().key("next_cursor").null().end_object();
  return answer_json(200, std::move(body));
}

/// In the order of the list of webhooks.
Answer TotalsApi::by_webhook(const Call& call, const ListQuery& query) {
  auto webhooks = registry_.list(call.organization, query.before(), query.limit + 1);
  const bool more = webhooks.size() > query.limit;
  if (more) webhooks.pop_back();
  std::vector<uint32_t> numbers;
  for (const Webhook* webhook : webhooks) numbers.push_back(webhook->number);
  std::ranges::sort(numbers);
  const HourRange asked = steps_of(query, 1, call.now);
  const auto found =
      history_.of(call.organization, call.now)
          .totals({.wants_webhook =
                       [&](uint32_t number) { return std::ranges::binary_search(numbers, number); },
                   .hours = asked,
                   .by_webhook = true});
  if (!found) return refuse(history_unreadable(found.error()));
  std::string body;
  JsonWriter json(body);
  begin_answer(json, *found, asked, asked.end - found->complete_from, journals_.unindexed() > 0);
  for (const Webhook* webhook : webhooks) {
    json.begin_object().member("webhook", webhook->id.to_text());
    end_item(json, totals_at(*found, webhook->number));
  }
  json.end_array();
  write_next_cursor(json, query, more ? &webhooks.back()->id : nullptr);
  json.end_object();
  return answer_json(200, std::move(body));
}

bool TotalsApi::is_of(const Call& call, uint32_t webhook_number) const {
  const Webhook* webhook = registry_.find(webhook_number);
  return webhook != nullptr && webhook->organization == call.organization;
}

}  // namespace ringpost::control
