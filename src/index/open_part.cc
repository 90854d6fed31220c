#include "index/open_part.h"

#include "base/assert.h"

#include <algorithm>

namespace ringpost::index {
namespace {

uint64_t segment_key(Position position) {
  return Position::make(position.journal(), position.segment(), 0).packed;
}

uint8_t hours_run(const Outcome& outcome) {
  const uint32_t began = hour_of(outcome.started_at);
  const uint32_t ended = std::max(hour_of(outcome.ended_at), began);
  return static_cast<uint8_t>(std::min<uint32_t>(ended - began, UINT8_MAX));
}

uint64_t& count_of(Totals& totals, DeliveryStatus end) {
  if (end == DeliveryStatus::delivered) return totals.delivered;
  return end == DeliveryStatus::dead ? totals.dead : totals.cancelled;
}

}  // namespace

// --- adding --------------------------------------------------------------------------------------

void OpenPart::add(const journal::EventView& event, Position position) {
  RINGPOST_ASSERT(holds(position));
  RINGPOST_ASSERT(events_.empty() || events_.back().offset < position.offset());
  const auto index = static_cast<uint32_t>(events_.size());
  events_.push_back({.uid = event.uid,
                     .offset = position.offset(),
                     .type_hash = hash_.of(event.type),
                     .source_hash = hash_.of(event.source),
                     .id_hash = hash_.of(event.organization, event.id),
                     .first_match = static_cast<uint32_t>(matches_.size()),
                     .origin = event.is_carried() ? event.position(position) : Position{}});
  insert_by_uid(index);
  for (uint32_t which = 0; which < event.webhook_count(); ++which) {
    matches_.push_back({.event = index, .webhook_number = event.webhook_number(which)});
  }
  const auto first = matches_.begin() + events_.back().first_match;
  std::sort(first, matches_.end(),
            [](const Match& a, const Match& b) { return a.webhook_number < b.webhook_number; });
  matches_.erase(std::unique(first, matches_.end(),
                             [](const Match& a, const Match& b) {
                               return a.webhook_number == b.webhook_number;
                             }),
                 matches_.end());
  for (uint32_t match = events_.back().first_match; match < matches_.size(); ++match) {
    insert_delivery(match);
    if (event.is_carried()) continue;  // It was counted when it came.
    ++totals_of(matches_[match].webhook_number, hour_of(event.uid.time())).events;
  }
}

/// Almost always at the end: uids rise with time.
void OpenPart::insert_by_uid(uint32_t event) {
  auto place = by_uid_.end();
  while (place != by_uid_.begin() && events_[*std::prev(place)].uid > events_[event].uid) --place;
  by_uid_.insert(place, event);
}

void OpenPart::insert_delivery(uint32_t match) {
  std::vector<uint32_t>& deliveries = by_webhook_[matches_[match].webhook_number];
  auto place = deliveries.end();
  while (place != deliveries.begin() && is_older(match, *std::prev(place))) --place;
  deliveries.insert(place, match);
}

bool OpenPart::is_older(uint32_t match, uint32_t other) const {
  return events_[matches_[match].event].uid < events_[matches_[other].event].uid;
}

void OpenPart::add(const Outcome& outcome) {
  RINGPOST_ASSERT(holds(outcome.record));
  const auto index = static_cast<uint32_t>(outcomes_.size());
  outcomes_.push_back(
      {.result = pack_result(outcome),
       .started_at = outcome.started_at,
       .record_offset = outcome.record.offset(),
       .due_s = static_cast<uint32_t>(to_unix_seconds(outcome.next_attempt_at)),
       .latency = LatencyHistogram::range_of(outcome.ended_at - outcome.accepted_at),
       .hours_run = hours_run(outcome)});
  const uint32_t match = match_of(outcome.delivery);
  if (match == none) {
    const auto [newest, is_new] = foreign_.try_emplace(outcome.delivery, none);
    outcomes_.back().earlier = std::exchange(newest->second, index);
    ++foreign_segments_[segment_key(outcome.delivery.event)];
  } else {
    outcomes_.back().earlier = std::exchange(matches_[match].newest_outcome, index);
  }
  count(index, outcome);
}

// --- counting ------------------------------------------------------------------------------------

DeliveryStatus OpenPart::status_of(const Stored& stored) {
  Outcome outcome;
  const bool known = unpack_result(stored.result, outcome).has_value();
  RINGPOST_ASSERT(known);
  return outcome.status;
}

uint32_t OpenPart::end_hour(const Stored& stored) {
  return hour_of(stored.started_at) + stored.hours_run;
}

Totals& OpenPart::totals_of(uint32_t webhook_number, uint32_t hour) {
  hours_ = hours_.empty() ? HourRange{hour, hour + 1}
                          : HourRange{std::min(hours_.begin, hour), std::max(hours_.end, hour + 1)};
  return totals_[{webhook_number, hour}];
}

/// Of the ends of a delivery in this segment one counts: the first of those that count most. So a
/// cancelled one that arrives after all is not counted twice.
void OpenPart::count(uint32_t stored, const Outcome& outcome) {
  const bool ended = outcome.status != DeliveryStatus::in_flight && outcome.attempt > 0;
  const uint32_t webhook = outcome.delivery.webhook_number;
  const uint32_t hour = end_hour(outcomes_[stored]);
  if (ended && outcome.failed) ++totals_of(webhook, hour).failed;
  const int rank = rank_of_end(outcome.status);
  if (rank == 0) return;
  if (const Stored* before = end_before(stored)) {
    const DeliveryStatus status = status_of(*before);
    if (rank_of_end(status) >= rank) return;
    const auto counted = totals_.find({webhook, end_hour(*before)});
    --count_of(counted->second, status);
    if (counted->second == Totals{}) totals_.erase(counted);
  }
  Totals& totals = totals_of(webhook, hour);
  ++count_of(totals, outcome.status);
  if (outcome.status == DeliveryStatus::delivered) totals.latencies.add(outcomes_[stored].latency);
}

/// The end that was counted of the same delivery; nullptr: none was.
const OpenPart::Stored* OpenPart::end_before(uint32_t stored) const {
  const Stored* found = nullptr;
  int rank = 1;
  for (uint32_t index = outcomes_[stored].earlier; index != none;
       index = outcomes_[index].earlier) {
    const int other = rank_of_end(status_of(outcomes_[index]));
    if (other < rank) continue;
    rank = other;
    found = &outcomes_[index];
  }
  return found;
}

// --- finding -------------------------------------------------------------------------------------

Position OpenPart::position_of(uint32_t event) const {
  return Position::make(journal(), segment(), events_[event].offset);
}

uint32_t OpenPart::matches_end(uint32_t event) const {
  return event + 1 < events_.size() ? events_[event + 1].first_match
                                    : static_cast<uint32_t>(matches_.size());
}

uint32_t OpenPart::match_of(const DeliveryKey& delivery) const {
  if (!holds(delivery.event)) return none;
  const auto event = std::ranges::lower_bound(events_, delivery.event.offset(), {}, &Event::offset);
  if (event == events_.end() || event->offset != delivery.event.offset()) return none;
  const auto first = matches_.begin() + event->first_match;
  const auto end = matches_.begin() + matches_end(static_cast<uint32_t>(event - events_.begin()));
  const auto match =
      std::ranges::lower_bound(first, end, delivery.webhook_number, {}, &Match::webhook_number);
  if (match == end || match->webhook_number != delivery.webhook_number) return none;
  return static_cast<uint32_t>(match - matches_.begin());
}

/// nullptr: nothing is known of the delivery.
const uint32_t* OpenPart::newest_outcome(const DeliveryKey& delivery) const {
  if (const uint32_t match = match_of(delivery); match != none) {
    return &matches_[match].newest_outcome;
  }
  const auto found = foreign_.find(delivery);
  return found == foreign_.end() ? nullptr : &found->second;
}

EventFacts OpenPart::facts(uint32_t event) const {
  return {.uid = events_[event].uid,
          .position = position_of(event),
          .type_hash = events_[event].type_hash,
          .source_hash = events_[event].source_hash,
          .origin = events_[event].origin};
}

MatchedEvent OpenPart::matched(uint32_t event) const {
  MatchedEvent found{.facts = facts(event), .webhook_numbers = {}};
  for (uint32_t match = events_[event].first_match; match < matches_end(event); ++match) {
    found.webhook_numbers.push_back(matches_[match].webhook_number);
  }
  return found;
}

size_t OpenPart::rank_of_first(const Ulid& uid) const {
  const auto place = std::ranges::lower_bound(by_uid_, uid, {},
                                              [&](uint32_t event) { return events_[event].uid; });
  return static_cast<size_t>(place - by_uid_.begin());
}

Outcome OpenPart::unpack(const Stored& stored, const DeliveryKey& delivery) const {
  Outcome outcome{.delivery = delivery,
                  .record = Position::make(journal(), segment(), stored.record_offset),
                  .started_at = stored.started_at,
                  .next_attempt_at = from_unix_ns(int64_t{stored.due_s} * 1'000'000'000),
                  .of_earlier_run = of_earlier_run_};
  const bool known = unpack_result(stored.result, outcome).has_value();
  RINGPOST_ASSERT(known);
  return outcome;
}

void OpenPart::append_chain(uint32_t newest, const DeliveryKey& delivery,
                            std::vector<Outcome>& found) const {
  for (uint32_t index = newest; index != none; index = outcomes_[index].earlier) {
    found.push_back(unpack(outcomes_[index], delivery));
  }
}

LocalDelivery OpenPart::delivery(uint32_t place) const {
  const Match& match = matches_[place];
  LocalDelivery delivery{
      .event = facts(match.event), .webhook_number = match.webhook_number, .outcome = {}};
  if (match.newest_outcome == none) return delivery;
  const Stored& newest = outcomes_[match.newest_outcome];
  delivery.told = newest.earlier == none ? LocalDelivery::Told::one : LocalDelivery::Told::several;
  if (delivery.told == LocalDelivery::Told::one) {
    delivery.outcome = unpack(newest, {delivery.event.position, match.webhook_number});
  }
  return delivery;
}

std::vector<Outcome> OpenPart::outcomes(uint32_t place) const {
  std::vector<Outcome> found;
  const Match& match = matches_[place];
  append_chain(match.newest_outcome, {position_of(match.event), match.webhook_number}, found);
  std::ranges::reverse(found);
  return found;
}

// --- queries -------------------------------------------------------------------------------------

uint32_t OpenPart::open_count() const {
  return static_cast<uint32_t>(matches_.size());  // At most; who asks looks at each.
}

uint64_t OpenPart::memory_bytes() const {
  constexpr uint64_t node_bytes = 48;  // Of a map, about.
  uint64_t deliveries = 0;
  for (const auto& [webhook, list] : by_webhook_) deliveries += list.capacity();
  uint64_t totals_bytes = totals_.size() * (node_bytes + sizeof(Totals));
  for (const auto& [key, totals] : totals_) totals_bytes += totals.latencies.memory_bytes();
  return events_.size() * sizeof(Event) + by_uid_.capacity() * sizeof(uint32_t) +
         matches_.size() * sizeof(Match) + deliveries * sizeof(uint32_t) +
         by_webhook_.size() * (node_bytes + sizeof(std::vector<uint32_t>)) +
         outcomes_.size() * sizeof(Stored) + foreign_.size() * (node_bytes + sizeof(DeliveryKey)) +
         foreign_segments_.size() * node_bytes + totals_bytes;
}

bool OpenPart::may_have_webhook(uint32_t webhook_number) const {
  return by_webhook_.contains(webhook_number);
}

bool OpenPart::may_have_outcomes_of_segment(Position event) const {
  return foreign_segments_.contains(segment_key(event));
}

bool OpenPart::may_have_outcomes(const DeliveryKey& delivery) const {
  return foreign_.contains(delivery);
}

class OpenPart::MemoryWalk final : public Walk {
 public:
  MemoryWalk(const OpenPart& part, const std::vector<uint32_t>& places, size_t end)
      : part_(part), places_(places), left_(end) {}

  Result<const LocalDelivery*> next() override {
    if (left_ == 0) return nullptr;
    current_ = part_.delivery(places_[--left_]);
    return &current_;
  }

 private:
  const OpenPart& part_;
  const std::vector<uint32_t>& places_;
  size_t left_;
  LocalDelivery current_;
};

Result<std::unique_ptr<Part::Walk>> OpenPart::walk(uint32_t webhook_number, const Ulid& before,
                                                   StatusSet) const {
  static const std::vector<uint32_t> nothing;
  const auto found = by_webhook_.find(webhook_number);
  const std::vector<uint32_t>& places = found == by_webhook_.end() ? nothing : found->second;
  const auto end = std::ranges::lower_bound(
      places, before, {}, [&](uint32_t match) { return events_[matches_[match].event].uid; });
  return std::unique_ptr<Walk>(
      std::make_unique<MemoryWalk>(*this, places, static_cast<size_t>(end - places.begin())));
}

class OpenPart::MemoryEventWalk final : public EventWalk {
 public:
  MemoryEventWalk(const OpenPart& part, size_t end) : part_(part), rank_(end) {}

  Result<const MatchedEvent*> next() override {
    if (rank_ == 0) return nullptr;
    current_ = part_.matched(part_.by_uid_[--rank_]);
    return &current_;
  }

  Result<const LocalDelivery*> delivery(uint32_t webhook_number, StatusSet) override {
    const uint32_t match = part_.match_of({current_.facts.position, webhook_number});
    RINGPOST_ASSERT(match != none);
    delivery_ = part_.delivery(match);
    return &delivery_;
  }

 private:
  const OpenPart& part_;
  size_t rank_;  // Of the current event.
  MatchedEvent current_;
  LocalDelivery delivery_;
};

Result<std::unique_ptr<Part::EventWalk>> OpenPart::walk_events(const Ulid& before) const {
  return std::unique_ptr<EventWalk>(
      std::make_unique<MemoryEventWalk>(*this, rank_of_first(before)));
}

Result<std::optional<MatchedEvent>> OpenPart::event(const Ulid& uid) const {
  const size_t rank = rank_of_first(uid);
  if (rank == by_uid_.size() || events_[by_uid_[rank]].uid != uid) {
    return std::optional<MatchedEvent>{};
  }
  return std::optional{matched(by_uid_[rank])};
}

Result<std::vector<MatchedEvent>> OpenPart::events_at(uint64_t time_ms) const {
  std::vector<MatchedEvent> found;
  for (size_t rank = rank_of_first(uid_of({time_ms << 16, 0})); rank < by_uid_.size(); ++rank) {
    const uint32_t event = by_uid_[rank];
    if (events_[event].uid.time_ms() != time_ms) break;
    found.push_back(matched(event));
  }
  return found;
}

Result<void> OpenPart::events_of_id(uint32_t id_hash, std::vector<EventFacts>& found) const {
  for (uint32_t event = 0; event < events_.size(); ++event) {
    if (events_[event].id_hash == id_hash) found.push_back(facts(event));
  }
  return {};
}

Result<void> OpenPart::outcomes_of(const EventFacts& event, uint32_t webhook_number,
                                   std::vector<Outcome>& found) const {
  const DeliveryKey key{event.first().position, webhook_number};
  if (const uint32_t* newest = newest_outcome(key)) append_chain(*newest, key, found);
  return {};
}

Result<void> OpenPart::totals(std::optional<uint32_t> webhook_number, const HourRange& hours,
                              const VisitTotals& visit) const {
  for (const auto& [key, totals] : totals_) {
    if (hours.has(key.hour) && (!webhook_number || key.webhook_number == *webhook_number)) {
      visit(key, totals);
    }
  }
  return {};
}

Result<void> OpenPart::open_deliveries(std::vector<LocalDelivery>& found) const {
  for (uint32_t match = 0; match < matches_.size(); ++match) {
    std::vector<Outcome> told = outcomes(match);
    if (!journal::is_end(resolve(told).status)) found.push_back(delivery(match));
  }
  return {};
}

Result<void> OpenPart::outcomes_of_segment(Position event, std::vector<Outcome>& found) const {
  for (const auto& [delivery, newest] : foreign_) {
    if (segment_key(delivery.event) == segment_key(event)) append_chain(newest, delivery, found);
  }
  if (!holds(Position::make(event.journal(), event.segment(), 0))) return {};
  for (uint32_t match = 0; match < matches_.size(); ++match) {
    if (delivery(match).told == LocalDelivery::Told::several) {
      const std::vector<Outcome> told = outcomes(match);
      found.insert(found.end(), told.begin(), told.end());
    }
  }
  return {};
}

// --- for the writer ------------------------------------------------------------------------------

EventRow OpenPart::event_row(size_t rank) const {
  const uint32_t event = by_uid_[rank];
  return {.uid = events_[event].uid,
          .offset = events_[event].offset,
          .type_hash = events_[event].type_hash,
          .source_hash = events_[event].source_hash,
          .matches = matches_end(event) - events_[event].first_match,
          .origin = events_[event].origin};
}

std::vector<uint32_t> OpenPart::webhooks_of(size_t rank) const {
  return matched(by_uid_[rank]).webhook_numbers;
}

std::vector<uint32_t> OpenPart::ranks_by_place() const {
  std::vector<uint32_t> ranks(events_.size());
  for (uint32_t rank = 0; rank < by_uid_.size(); ++rank) ranks[by_uid_[rank]] = rank;
  std::vector<uint32_t> by_place;
  by_place.reserve(matches_.size());
  for (const Match& match : matches_) by_place.push_back(ranks[match.event]);
  return by_place;
}

std::vector<Outcome> OpenPart::foreign_outcomes() const {
  std::vector<Outcome> found;
  for (const auto& [delivery, newest] : foreign_) append_chain(newest, delivery, found);
  return found;
}

std::vector<TotalsRow> OpenPart::totals_rows() const {
  std::vector<TotalsRow> rows;
  rows.reserve(totals_.size());
  for (const auto& [key, totals] : totals_) rows.push_back({key, totals});
  std::ranges::sort(rows, {}, &TotalsRow::key);
  return rows;
}

}  // namespace ringpost::index
