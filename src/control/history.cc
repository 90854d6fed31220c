#include "control/history.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ringpost::control {

using journal::DeliveryStatus;
using journal::Position;

namespace {

/// Which of two final statuses stands when a crash left records of both: what reached the endpoint
/// wins over what was given up. Makes the order of telling irrelevant.
int rank(DeliveryStatus status) {
  switch (status) {
    case DeliveryStatus::pending:
    case DeliveryStatus::in_flight: return 0;
    case DeliveryStatus::cancelled: return 1;
    case DeliveryStatus::dead: return 2;
    case DeliveryStatus::delivered: return 3;
  }
  RINGPOST_UNREACHABLE();
}

/// Whole seconds, rounded up: an attempt is never due early.
uint32_t to_due_s(WallTime time) {
  const int64_t seconds = (to_unix_ns(time) + 999'999'999) / 1'000'000'000;
  return static_cast<uint32_t>(
      std::clamp<int64_t>(seconds, 0, std::numeric_limits<uint32_t>::max()));
}

WallTime time_of(const Ulid& uid) {
  return from_unix_ns(static_cast<int64_t>(uid.time_ms()) * 1'000'000);
}

}  // namespace

OutcomeFact to_fact(const journal::OutcomeView& outcome, Position record) {
  return {.delivery = outcome.delivery,
          .event = outcome.event,
          .record = record,
          .webhook_number = outcome.webhook_number,
          .attempt = outcome.attempt,
          .status = outcome.status,
          .started_at = outcome.started_at,
          .next_attempt_at = outcome.next_attempt_at};
}

History::History(SegmentLedger& ledger, const Options& options)
    : ledger_(ledger), options_(options) {}

// --- writing -------------------------------------------------------------------------------------

void History::on_event(const journal::EventView& view, Position position) {
  const auto known = unseen_.empty() ? unseen_.end() : unseen_.find(position.packed);
  const bool unseen = known != unseen_.end();
  const uint32_t index = unseen ? known->second : events_.take();
  if (unseen) unseen_.erase(known);
  {
    Event& event = events_[index];
    event.uid = view.uid;
    event.position = position;
    event.id_hash = hash_of(view.organization, view.id);
    event.type_hash = hash_of(view.type);
    event.seen = 1;
    for (uint32_t told = event.first_delivery; told != no_slot;) {
      link_by_time(told);
      told = deliveries_[told].event_next;
    }
  }
  events_by_id_.insert(events_, index);
  for (uint32_t which = 0; which < view.webhook_count(); ++which) {
    const uint32_t number = view.webhook_number(which);
    const Ulid id = journal::delivery_id(view.uid, number);
    if (!unseen || find(id, position, number) == no_slot) add_delivery(index, number, id);
  }
  ledger_.on_event(position, view.accepted_at);
  const Event& event = events_[index];
  if (event.open == 0) ledger_.on_settled(position);
  if (unseen) {
    for (uint32_t delivery = event.first_delivery; delivery != no_slot;) {
      const uint32_t next = deliveries_[delivery].event_next;
      if (settled(deliveries_[delivery])) enqueue_settled(delivery);
      delivery = next;
    }
  }
  if (event.first_delivery == no_slot) bare_events_.push_back(index);
  evict();
}

void History::on_outcome(const OutcomeFact& fact) {
  if (fact.record.valid()) ledger_.on_outcome(fact.record, fact.event, fact.started_at);
  uint32_t index = find(fact.delivery, fact.event, fact.webhook_number);
  if (index == no_slot) {
    const uint32_t event = unseen_event_at(fact.event);
    index = add_delivery(event, fact.webhook_number, fact.delivery);
  }
  const bool is_start = fact.status == DeliveryStatus::in_flight;
  if (is_start && fact.attempt <= deliveries_[index].attempts) return;  // Its end is known already.
  record_attempt(deliveries_[index], fact);
  apply_status(index, fact);
  evict();
}

uint32_t History::unseen_event_at(Position position) {
  const auto [place, is_new] = unseen_.try_emplace(position.packed, no_slot);
  if (is_new) {
    place->second = events_.take();
    events_[place->second].position = position;
  }
  return place->second;
}

uint32_t History::add_delivery(uint32_t event_index, uint32_t webhook_number, const Ulid& id) {
  const uint32_t index = deliveries_.take();
  Delivery& delivery = deliveries_[index];
  Event& event = events_[event_index];
  delivery.event = event_index;
  delivery.webhook_number = webhook_number;
  delivery.id_hash = hash_of(id);
  delivery.event_next = event.first_delivery;
  if (event.first_delivery != no_slot) deliveries_[event.first_delivery].event_previous = index;
  event.first_delivery = index;
  ++event.open;
  ++pending_;
  deliveries_by_id_.insert(deliveries_, index);
  if (event.seen != 0) link_by_time(index);
  return index;
}

void History::record_attempt(Delivery& delivery, const OutcomeFact& fact) {
  const bool begun = static_cast<DeliveryStatus>(delivery.status) == DeliveryStatus::in_flight;
  if (fact.attempt == 0 && fact.status == DeliveryStatus::pending && begun) {
    // The attempt was put back before it reached anybody: it is none.
    --delivery.attempts;
    delivery.status = static_cast<uint32_t>(DeliveryStatus::pending);
    delivery.due_s = to_due_s(fact.next_attempt_at);
    const uint32_t earlier = std::exchange(delivery.earlier_attempts, no_slot);
    delivery.newest_record = earlier == no_slot ? PackedPosition{} : attempts_[earlier].record;
    if (earlier == no_slot) return;
    delivery.earlier_attempts = attempts_[earlier].earlier;
    attempts_.give_back(earlier);
  }
  if (fact.attempt == 0) return;
  if (fact.attempt == delivery.attempts) {  // The attempt's end takes the place of its start.
    if (fact.record.valid()) delivery.newest_record = fact.record;
    return;
  }
  const bool newest = fact.attempt > delivery.attempts;
  if (newest) delivery.attempts = fact.attempt & 0xFF'FFFF;
  if (!fact.record.valid()) return;
  PackedPosition earlier = fact.record;
  if (newest) std::swap(earlier, delivery.newest_record);
  if (!earlier.unpack().valid()) return;
  const uint32_t attempt = attempts_.take();
  attempts_[attempt] = {earlier, delivery.earlier_attempts};
  delivery.earlier_attempts = attempt;
}

void History::apply_status(uint32_t index, const OutcomeFact& fact) {
  Delivery& delivery = deliveries_[index];
  const bool was_settled = settled(delivery);
  const int before = rank(static_cast<DeliveryStatus>(delivery.status));
  if (rank(fact.status) > before) delivery.status = static_cast<uint32_t>(fact.status);
  if (was_settled) return;
  if (!settled(delivery)) {
    if (fact.attempt != delivery.attempts) return;  // An older attempt's record, told later.
    delivery.status = static_cast<uint32_t>(fact.status);
    delivery.due_s = to_due_s(fact.next_attempt_at);
    return;
  }
  delivery.due_s = no_slot;
  close_one(delivery);
  if (events_[delivery.event].seen != 0) enqueue_settled(index);
}

void History::close_one(Delivery& delivery) {
  Event& event = events_[delivery.event];
  RINGPOST_ASSERT(event.open > 0);
  --event.open;
  --pending_;
  if (event.open == 0 && event.seen != 0) ledger_.on_settled(event.position.unpack());
}

// --- chains --------------------------------------------------------------------------------------

/// Puts a delivery into its webhook's chain, which the events' uids order: shards tell of their
/// events in turns, and each of them nearly by time. So the place is looked for from where the last
/// one went, which also costs little while the clock is set back.
void History::link_by_time(uint32_t index) {
  const Ulid& uid = uid_of(index);
  Delivery& delivery = deliveries_[index];
  const auto [place, is_first] = chains_.try_emplace(delivery.webhook_number);
  Chain& chain = place->second;
  uint32_t older = chain.latest;
  uint32_t newer = older == no_slot ? no_slot : deliveries_[older].newer;
  while (newer != no_slot && uid_of(newer) < uid) {
    older = newer;
    newer = deliveries_[newer].newer;
  }
  while (older != no_slot && uid_of(older) > uid) {
    newer = older;
    older = deliveries_[older].older;
  }
  delivery.older = older;
  delivery.newer = newer;
  if (older != no_slot) deliveries_[older].newer = index;
  if (newer != no_slot) deliveries_[newer].older = index;
  if (newer == no_slot) chain.newest = index;
  chain.latest = index;
  if (chain.oldest_open == no_slot || uid < uid_of(chain.oldest_open)) chain.oldest_open = index;
}

void History::unlink_by_time(uint32_t index) {
  const Delivery& delivery = deliveries_[index];
  const auto place = chains_.find(delivery.webhook_number);
  Chain& chain = place->second;
  if (delivery.older != no_slot) deliveries_[delivery.older].newer = delivery.newer;
  if (delivery.newer != no_slot) deliveries_[delivery.newer].older = delivery.older;
  if (chain.newest == index) chain.newest = delivery.older;
  if (chain.oldest_open == index) chain.oldest_open = delivery.newer;
  if (chain.latest == index) {
    chain.latest = delivery.newer != no_slot ? delivery.newer : delivery.older;
  }
  if (chain.newest == no_slot) chains_.erase(place);
}

void History::unlink(uint32_t index) {
  const Delivery& delivery = deliveries_[index];
  if (events_[delivery.event].seen != 0) unlink_by_time(index);
  if (delivery.event_next != no_slot) {
    deliveries_[delivery.event_next].event_previous = delivery.event_previous;
  }
  if (delivery.event_previous != no_slot) {
    deliveries_[delivery.event_previous].event_next = delivery.event_next;
  } else {
    events_[delivery.event].first_delivery = delivery.event_next;
  }
}

void History::enqueue_settled(uint32_t index) {
  deliveries_[index].due_s = no_slot;
  if (settled_.last != no_slot) {
    deliveries_[settled_.last].due_s = index;
  } else {
    settled_.first = index;
  }
  settled_.last = index;
}

// --- forgetting ----------------------------------------------------------------------------------

void History::evict() {
  while (deliveries_.taken() > options_.deliveries_max && settled_.first != no_slot) {
    const uint32_t index = settled_.first;
    const uint32_t event = deliveries_[index].event;
    settled_.first = deliveries_[index].due_s;
    if (settled_.first == no_slot) settled_.last = no_slot;
    drop_delivery(index);
    if (events_[event].first_delivery == no_slot) drop_event(event);
  }
  while (bare_events_.size() > options_.deliveries_max) {
    drop_event(bare_events_.front());
    bare_events_.pop_front();
  }
}

void History::drop_delivery(uint32_t index) {
  unlink(index);
  deliveries_by_id_.erase(deliveries_, index);
  for (uint32_t attempt = deliveries_[index].earlier_attempts; attempt != no_slot;) {
    const uint32_t earlier = attempts_[attempt].earlier;
    attempts_.give_back(attempt);
    attempt = earlier;
  }
  deliveries_.give_back(index);
}

void History::drop_event(uint32_t index) {
  RINGPOST_ASSERT(events_[index].first_delivery == no_slot);
  if (events_[index].seen != 0) events_by_id_.erase(events_, index);
  events_.give_back(index);
}

void History::forget_segment(uint32_t journal, uint32_t segment) {
  const auto is_gone = [&](uint32_t index) {
    const Position position = events_[index].position.unpack();
    return position.valid() && position.journal() == journal && position.segment() == segment;
  };
  forget_queued(journal, segment);
  std::erase_if(bare_events_, is_gone);
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    if (!is_gone(index)) continue;
    RINGPOST_ASSERT(events_[index].open == 0);
    while (events_[index].first_delivery != no_slot) drop_delivery(events_[index].first_delivery);
    drop_event(index);
  }
}

void History::forget_queued(uint32_t journal, uint32_t segment) {
  uint32_t index = settled_.first;
  settled_ = {};
  while (index != no_slot) {
    const uint32_t next = deliveries_[index].due_s;
    const Position event = events_[deliveries_[index].event].position.unpack();
    if (event.journal() != journal || event.segment() != segment) enqueue_settled(index);
    index = next;
  }
}

// --- recovery ------------------------------------------------------------------------------------

void History::finish_recovery(const SettledMarks& marks) {
  drop_unseen();
  settle_marked(marks);
  sort_settled();
}

void History::drop_unseen() {
  for (const auto& [position, event] : unseen_) {
    while (events_[event].first_delivery != no_slot) {
      const uint32_t index = events_[event].first_delivery;
      if (!settled(deliveries_[index])) close_one(deliveries_[index]);
      drop_delivery(index);
    }
    drop_event(event);
  }
  unseen_.clear();
}

void History::settle_marked(const SettledMarks& marks) {
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    const Position position = events_[index].position.unpack();
    if (!position.valid() || events_[index].open == 0) continue;
    if (position.journal() >= marks.size() || position.segment() > marks[position.journal()])
      continue;
    for (uint32_t delivery = events_[index].first_delivery; delivery != no_slot;) {
      const uint32_t next = deliveries_[delivery].event_next;
      if (!settled(deliveries_[delivery])) {  // Its outcome's segment has gone.
        close_one(deliveries_[delivery]);
        drop_delivery(delivery);
      }
      delivery = next;
    }
    if (events_[index].first_delivery == no_slot) bare_events_.push_back(index);
  }
}

/// What is settled is forgotten by the age of its event from now on. What was in flight died with
/// its process.
void History::sort_settled() {
  std::vector<uint32_t> order;
  order.reserve(deliveries_.taken());
  for (uint32_t index = 0; index < deliveries_.index_end(); ++index) {
    if (deliveries_[index].event != no_slot) order.push_back(index);
  }
  const auto key = [&](uint32_t index) { return std::make_pair(uid_of(index), index); };
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return key(a) < key(b); });
  settled_ = {};
  for (uint32_t index : order) {
    Delivery& delivery = deliveries_[index];
    if (static_cast<DeliveryStatus>(delivery.status) == DeliveryStatus::in_flight) {
      delivery.status = static_cast<uint32_t>(DeliveryStatus::pending);
    }
    if (settled(deliveries_[index])) enqueue_settled(index);
  }
}

void History::for_each_pending(
    const std::function<void(Position, const Ulid&, const std::vector<PendingDelivery>&)>& visit)
    const {
  std::vector<std::pair<uint64_t, uint32_t>> open;
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    if (events_[index].open > 0) open.emplace_back(events_[index].position.unpack().packed, index);
  }
  std::sort(open.begin(), open.end());
  std::vector<PendingDelivery> pending;
  for (const auto& [position, event] : open) {
    pending.clear();
    for (const DeliveryFacts& facts : deliveries_of(event)) {
      if (rank(facts.status) != 0) continue;
      pending.push_back({facts.webhook_number, facts.attempts, facts.next_attempt_at});
    }
    visit(Position{position}, events_[event].uid, pending);
  }
}

// --- reading -------------------------------------------------------------------------------------

std::optional<DeliveryFacts> History::delivery(const Ulid& id) const {
  const uint32_t index = find(id);
  if (index == no_slot) return std::nullopt;
  return facts(index);
}

std::vector<DeliveryFacts> History::deliveries_of(uint32_t event_index) const {
  std::vector<DeliveryFacts> all;
  uint32_t index = events_[event_index].first_delivery;
  for (; index != no_slot; index = deliveries_[index].event_next) all.push_back(facts(index));
  std::sort(all.begin(), all.end(), [](const DeliveryFacts& a, const DeliveryFacts& b) {
    return a.webhook_number < b.webhook_number;
  });
  return all;
}

std::vector<Position> History::outcomes(const DeliveryFacts& facts) const {
  std::vector<Position> positions;
  const Delivery& delivery = deliveries_[facts.index];
  if (delivery.newest_record.unpack().valid()) {
    positions.push_back(delivery.newest_record.unpack());
  }
  for (uint32_t index = delivery.earlier_attempts; index != no_slot;
       index = attempts_[index].earlier) {
    positions.push_back(attempts_[index].record.unpack());
  }
  return positions;
}

std::vector<History::EventFacts> History::events(std::string_view organization,
                                                 std::string_view id) const {
  std::vector<EventFacts> found;
  events_by_id_.find(events_, hash_of(organization, id), [&](uint32_t index) {
    found.push_back({index, events_[index].uid, events_[index].position.unpack()});
    return false;
  });
  std::sort(found.begin(), found.end(),
            [](const EventFacts& a, const EventFacts& b) { return a.uid > b.uid; });
  return found;
}

bool History::Walk::type_may_be(std::string_view type) const {
  const Event& event = history_->events_[history_->deliveries_[index_].event];
  return event.type_hash == history_->hash_of(type);
}

void History::Walk::advance() {
  index_ = history_->deliveries_[index_].older;
}

History::Walk History::newest(uint32_t webhook_number) const {
  const auto found = chains_.find(webhook_number);
  return {*this, found == chains_.end() ? no_slot : found->second.newest};
}

History::Walk History::after(uint32_t webhook_number, const Ulid& event_uid) const {
  const uint32_t index = find(journal::delivery_id(event_uid, webhook_number));
  if (index != no_slot) return {*this, deliveries_[index].older};
  Walk walk = newest(webhook_number);
  while (!walk.ended() && walk.facts().event_uid >= event_uid) walk.advance();
  return walk;
}

std::optional<WallTime> History::oldest_pending_at() const {
  const auto open = [&](uint32_t index) {
    return events_[index].open > 0 && events_[index].seen != 0;
  };
  if (oldest_pending_ != no_slot && open(oldest_pending_) &&
      events_[oldest_pending_].uid == oldest_pending_uid_) {
    return time_of(oldest_pending_uid_);
  }
  oldest_pending_ = no_slot;
  if (pending_ == 0) return std::nullopt;
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    if (!open(index)) continue;
    if (oldest_pending_ == no_slot || events_[index].uid < oldest_pending_uid_) {
      oldest_pending_ = index;
      oldest_pending_uid_ = events_[index].uid;
    }
  }
  if (oldest_pending_ == no_slot) return std::nullopt;
  return time_of(oldest_pending_uid_);
}

std::optional<WallTime> History::oldest_pending_at(uint32_t webhook_number) const {
  const auto found = chains_.find(webhook_number);
  if (found == chains_.end()) return std::nullopt;
  uint32_t& oldest = found->second.oldest_open;
  while (oldest != no_slot && settled(deliveries_[oldest])) oldest = deliveries_[oldest].newer;
  if (oldest == no_slot) return std::nullopt;
  return time_of(uid_of(oldest));
}

size_t History::memory_bytes() const {
  return events_.memory_bytes() + deliveries_.memory_bytes() + attempts_.memory_bytes() +
         events_by_id_.memory_bytes() + deliveries_by_id_.memory_bytes();
}

uint32_t History::hash_of(std::string_view text) const {
  return static_cast<uint32_t>(siphash(options_.hash_key, as_bytes(text)));
}

uint32_t History::hash_of(std::string_view organization, std::string_view event_id) const {
  return hash_of(organization) * 31 + hash_of(event_id);
}

/// A delivery's id ends in the bits of a hash already. They are the same in both its spellings.
uint32_t History::hash_of(const Ulid& delivery) {
  uint32_t hash;
  std::memcpy(&hash, &delivery.bytes[12], sizeof hash);
  return hash;
}

bool History::settled(const Delivery& delivery) {
  return rank(static_cast<DeliveryStatus>(delivery.status)) != 0;
}

const Ulid& History::uid_of(uint32_t delivery) const {
  return events_[deliveries_[delivery].event].uid;
}

Ulid History::id_of(const Delivery& delivery) const {
  return journal::delivery_id(events_[delivery.event].uid, delivery.webhook_number);
}

uint32_t History::find(const Ulid& id, Position event, uint32_t webhook_number) const {
  return deliveries_by_id_.find(deliveries_, hash_of(id), [&](uint32_t index) {
    const Delivery& delivery = deliveries_[index];
    return delivery.webhook_number == webhook_number &&
           events_[delivery.event].position.unpack() == event;
  });
}

uint32_t History::find(const Ulid& id) const {
  return deliveries_by_id_.find(deliveries_, hash_of(id), [&](uint32_t index) {
    const Delivery& delivery = deliveries_[index];
    return events_[delivery.event].seen != 0 && id_of(delivery).as_uuid() == id.as_uuid();
  });
}

DeliveryFacts History::facts(uint32_t index) const {
  const Delivery& delivery = deliveries_[index];
  const Event& event = events_[delivery.event];
  DeliveryFacts facts;
  facts.index = index;
  facts.id = id_of(delivery);
  facts.event_uid = event.uid;
  facts.event = event.position.unpack();
  facts.webhook_number = delivery.webhook_number;
  facts.status = static_cast<DeliveryStatus>(delivery.status);
  facts.attempts = delivery.attempts;
  facts.newest_record = delivery.newest_record.unpack();
  if (!settled(delivery)) {
    facts.next_attempt_at = from_unix_ns(int64_t{delivery.due_s} * 1'000'000'000);
  }
  return facts;
}

// --- checks --------------------------------------------------------------------------------------

void History::check() const {
  uint64_t pending = 0;
  uint64_t found = 0;
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    const Event& event = events_[index];
    if (!event.position.unpack().valid()) continue;
    pending += event.open;
    found += check_event(event);
  }
  RINGPOST_ASSERT(pending == pending_);
  RINGPOST_ASSERT(found == deliveries_.taken());
  check_chains();
}

/// @returns how many deliveries it has.
uint64_t History::check_event(const Event& event) const {
  uint64_t open = 0;
  uint64_t count = 0;
  for (uint32_t index = event.first_delivery, before = no_slot; index != no_slot; ++count) {
    const Delivery& delivery = deliveries_[index];
    RINGPOST_ASSERT(&events_[delivery.event] == &event);
    RINGPOST_ASSERT(delivery.event_previous == before);
    open += settled(delivery) ? 0 : 1;
    before = std::exchange(index, delivery.event_next);
  }
  RINGPOST_ASSERT(open == event.open);
  return count;
}

/// Newest first, by the events' uids.
void History::check_chains() const {
  for (const auto& [number, chain] : chains_) {
    RINGPOST_ASSERT(chain.newest != no_slot && chain.latest != no_slot);
    bool all_settled = chain.oldest_open == no_slot;
    for (uint32_t index = chain.newest, before = no_slot; index != no_slot;) {
      const Delivery& delivery = deliveries_[index];
      RINGPOST_ASSERT(!all_settled || settled(delivery));
      all_settled |= index == chain.oldest_open;
      RINGPOST_ASSERT(delivery.webhook_number == number);
      RINGPOST_ASSERT(delivery.newer == before);
      RINGPOST_ASSERT(before == no_slot || uid_of(index) <= uid_of(before));
      before = std::exchange(index, delivery.older);
    }
  }
}

}  // namespace ringpost::control
