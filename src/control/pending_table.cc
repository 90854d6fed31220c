#include "control/pending_table.h"

#include "base/assert.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ringpost::control {

using index::DeliveryKey;
using index::Outcome;
using journal::DeliveryStatus;
using journal::Position;

namespace {

/// Whole seconds, rounded up: an attempt is never due early.
uint32_t to_due_s(WallTime time) {
  const int64_t seconds = (to_unix_ns(time) + 999'999'999) / 1'000'000'000;
  return static_cast<uint32_t>(
      std::clamp<int64_t>(seconds, 0, std::numeric_limits<uint32_t>::max()));
}

WallTime to_time(uint32_t due_s) {
  return from_unix_ns(int64_t{due_s} * 1'000'000'000);
}

}  // namespace

// --- what is told --------------------------------------------------------------------------------

std::optional<Position> PendingTable::on_event(const journal::EventView& view, Position record) {
  note_told(record);
  if (view.is_carried()) return on_carried(view, record);
  if (is_replaced(record, 0, record)) return record;
  const uint32_t index = begin_event(view, record);
  ledger_.on_event(record, view.accepted_at, key_of_organization(view.organization));
  drop_ended(index);
  return std::nullopt;
}

/// @returns the event; what was told of it before is in its place. Some may have ended.
uint32_t PendingTable::begin_event(const journal::EventView& view, Position position) {
  const auto known = unseen_.extract(position.packed);
  const uint32_t index = known.empty() ? events_.take() : known.mapped();
  events_[index].uid = view.uid;
  events_[index].set_position(position);
  events_[index].seen = 1;
  for (uint32_t which = 0; which < view.webhook_count(); ++which) {
    const uint32_t number = view.webhook_number(which);
    if (known.empty() || find({position, number}) == no_slot) add_delivery(index, number);
  }
  return index;
}

void PendingTable::drop_ended(uint32_t index) {
  for (uint32_t told = events_[index].first_delivery; told != no_slot;) {
    const uint32_t next = deliveries_[told].event_next;
    if (deliveries_[told].state == static_cast<uint32_t>(State::ended)) drop(told);
    told = next;
  }
  drop_event_if_done(index);
}

// --- what is carried forward ---------------------------------------------------------------------

/// Its other deliveries had ended before. Those that it is for may have ended since.
std::optional<Position> PendingTable::on_carried(const journal::EventView& view, Position record) {
  const Position position = view.position(record);
  const journal::Carried carried = view.unpack_carried();
  const auto before = carried_.find(position.packed);
  Position place = places_.place_of(position);
  if (before != carried_.end()) place = before->second.record;
  if (is_replaced(position, carried.times, record)) return record;
  const bool told = was_told(position);
  carried_[position.packed] = {carried.times, record};
  uint32_t index = told_event(view, position);
  ledger_.on_carried(record, carried, place, key_of_organization(view.organization));
  if (index == no_slot && told) return place;
  if (index == no_slot) index = begin_event(view, position);
  places_.put(position, record);
  keep_only(index, view);
  update(index, view, carried);
  drop_ended(index);
  return told ? std::optional{place} : std::nullopt;
}

/// Whether a newer record of the event was told already. That one goes no sooner.
bool PendingTable::is_replaced(Position event, uint32_t times, Position record) {
  const auto newer = carried_.find(event.packed);
  if (newer == carried_.end() || newer->second.times <= times) return false;
  ledger_.on_outcome(newer->second.record, record, WallTime{});
  return true;
}

/// The event, if one of the deliveries that the record is for is known and open.
uint32_t PendingTable::told_event(const journal::EventView& view, Position position) const {
  for (uint32_t which = 0; which < view.webhook_count(); ++which) {
    const uint32_t delivery = find({position, view.webhook_number(which)});
    if (delivery == no_slot) continue;
    const uint32_t event = deliveries_[delivery].event;
    if (events_[event].seen != 0) return event;
  }
  return no_slot;
}

void PendingTable::keep_only(uint32_t event, const journal::EventView& view) {
  for (uint32_t index = events_[event].first_delivery; index != no_slot;) {
    const uint32_t next = deliveries_[index].event_next;
    bool kept = false;
    for (uint32_t which = 0; which < view.webhook_count(); ++which) {
      kept |= view.webhook_number(which) == deliveries_[index].webhook_number;
    }
    if (!kept) drop(index);
    index = next;
  }
}

void PendingTable::update(uint32_t event, const journal::EventView& view,
                          const journal::Carried& carried) {
  for (uint32_t which = 0; which < view.webhook_count(); ++which) {
    const uint32_t index = find({events_[event].position(), view.webhook_number(which)});
    if (index == no_slot) continue;
    Delivery& delivery = deliveries_[index];
    const journal::CarriedState& state = carried.states[which];
    if (delivery.state == static_cast<uint32_t>(State::ended)) continue;
    if (state.attempts < delivery.attempts) continue;
    if (state.attempts == delivery.attempts && state.attempts > 0) continue;
    delivery.attempts = state.attempts & 0x3f'ffff;
    delivery.state = static_cast<uint32_t>(State::waiting);
    delivery.due_s = to_due_s(state.next_attempt_at);
  }
}

// --- outcomes ------------------------------------------------------------------------------------

void PendingTable::on_outcome(const Outcome& outcome) {
  const Position event = outcome.delivery.event;
  if (outcome.record.valid()) {
    const uint32_t number = outcome.delivery.webhook_number;
    ledger_.on_outcome(outcome.record, event, outcome.started_at, owner_of(owner_of_, number));
  }
  uint32_t index = find(outcome.delivery);
  if (index == no_slot) {
    if (was_told(event)) return;  // It has ended.
    index = add_delivery(unseen_event_at(event), outcome.delivery.webhook_number);
  }
  if (journal::is_end(outcome.status)) return end(index);
  Delivery& delivery = deliveries_[index];
  if (delivery.state == static_cast<uint32_t>(State::ended)) return;
  if (outcome.status == DeliveryStatus::in_flight) return tell_start(delivery, outcome);
  tell_wait(delivery, outcome);
}

void PendingTable::tell_start(Delivery& delivery, const Outcome& outcome) {
  if (outcome.attempt <= delivery.attempts) return;  // Its end is known already, or a later one.
  delivery.attempts = outcome.attempt & 0x3f'ffff;
  delivery.state = static_cast<uint32_t>(State::in_flight);
  delivery.start_journal = outcome.record.journal() & 0xff;
  delivery.due_s = to_due_s(outcome.next_attempt_at);
}

void PendingTable::tell_wait(Delivery& delivery, const Outcome& outcome) {
  const bool in_flight = delivery.state == static_cast<uint32_t>(State::in_flight);
  if (outcome.attempt == 0 && in_flight) {
    // An attempt that was put back before it reached anybody is none. It is the one in flight only
    // if the same journal tells of it: another one may tell of a time when the endpoint had another
    // shard, and of an attempt with the same number.
    const bool same = !outcome.record.valid() || outcome.record.journal() == delivery.start_journal;
    if (!same) return;
    --delivery.attempts;
  } else if (outcome.attempt < delivery.attempts) {
    return;  // An older attempt's record, told later.
  } else {
    delivery.attempts = outcome.attempt & 0x3f'ffff;
  }
  delivery.state = static_cast<uint32_t>(State::waiting);
  delivery.due_s = to_due_s(outcome.next_attempt_at);
}

void PendingTable::end(uint32_t index) {
  Delivery& delivery = deliveries_[index];
  if (delivery.state == static_cast<uint32_t>(State::ended)) return;
  delivery.state = static_cast<uint32_t>(State::ended);
  --open_;
  const uint32_t event = delivery.event;
  if (events_[event].seen == 0) return;  // It is remembered until then.
  drop(index);
  drop_event_if_done(event);
}

/// While journals are read, what is before the first event of one may yet come: carried forward.
bool PendingTable::was_told(Position event) const {
  if (carried_.contains(event.packed)) return true;
  if (event.journal() >= told_.size()) return false;
  const Told& told = told_[event.journal()];
  return told.first.valid() && told.first <= event && event <= told.last;
}

void PendingTable::note_told(Position event) {
  if (told_.size() <= event.journal()) told_.resize(event.journal() + 1);
  Told& told = told_[event.journal()];
  if (!told.first.valid()) told.first = event;
  told.last = std::max(told.last, event);
}

uint32_t PendingTable::find(const DeliveryKey& key) const {
  const auto hash = static_cast<uint32_t>(key.hash());
  return by_key_.find(deliveries_, hash,
                      [&](uint32_t index) { return key_of(deliveries_[index]) == key; });
}

// --- slots ---------------------------------------------------------------------------------------

uint32_t PendingTable::unseen_event_at(Position position) {
  const auto [place, is_new] = unseen_.try_emplace(position.packed, no_slot);
  if (is_new) {
    place->second = events_.take();
    events_[place->second].set_position(position);
  }
  return place->second;
}

uint32_t PendingTable::add_delivery(uint32_t event_index, uint32_t webhook_number) {
  const uint32_t index = deliveries_.take();
  Delivery& delivery = deliveries_[index];
  Event& event = events_[event_index];
  delivery.event = event_index;
  delivery.webhook_number = webhook_number;
  delivery.key_hash = static_cast<uint32_t>(key_of(delivery).hash());
  delivery.event_next = event.first_delivery;
  if (event.first_delivery != no_slot) deliveries_[event.first_delivery].event_previous = index;
  event.first_delivery = index;
  ++open_;
  by_key_.insert(deliveries_, index);
  return index;
}

void PendingTable::drop(uint32_t index) {
  const Delivery& delivery = deliveries_[index];
  if (delivery.state != static_cast<uint32_t>(State::ended)) --open_;
  if (delivery.event_next != no_slot) {
    deliveries_[delivery.event_next].event_previous = delivery.event_previous;
  }
  if (delivery.event_previous != no_slot) {
    deliveries_[delivery.event_previous].event_next = delivery.event_next;
  } else {
    events_[delivery.event].first_delivery = delivery.event_next;
  }
  by_key_.erase(deliveries_, index);
  deliveries_.give_back(index);
}

/// @param index  an event that was told.
void PendingTable::drop_event_if_done(uint32_t index) {
  if (events_[index].first_delivery != no_slot) return;
  places_.erase(events_[index].position());
  events_.give_back(index);
}

void PendingTable::drop_deliveries(uint32_t event) {
  while (events_[event].first_delivery != no_slot) drop(events_[event].first_delivery);
}

// --- recovery ------------------------------------------------------------------------------------

void PendingTable::finish_recovery(const SettledMarks& marks) {
  drop_unseen();
  carried_.clear();
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    const Position position = places_.place_of(events_[index].position());
    if (!position.valid() || position.journal() >= marks.size()) continue;
    if (position.segment() > marks[position.journal()]) continue;
    drop_deliveries(index);  // The segments of their outcomes have gone.
    drop_event_if_done(index);
  }
  order_ = in_order();
}

/// Their events' segments have gone.
void PendingTable::drop_unseen() {
  for (const auto& [position, event] : unseen_) {
    drop_deliveries(event);
    events_.give_back(event);
  }
  unseen_.clear();
}

/// Of events that were told, by position.
std::vector<uint32_t> PendingTable::in_order() const {
  std::vector<std::pair<uint64_t, uint32_t>> found;
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    const Position position = events_[index].position();
    if (position.valid() && events_[index].seen != 0) found.emplace_back(position.packed, index);
  }
  std::ranges::sort(found);
  std::vector<uint32_t> order;
  order.reserve(found.size());
  for (const auto& [position, index] : found) order.push_back(index);
  return order;
}

void PendingTable::for_each(const index::Index::VisitPending& visit) const {
  visit_each(visit, [](const Delivery&) { return true; });
}

void PendingTable::assign(const std::function<uint32_t(uint32_t)>& owner_of) {
  for (const uint32_t event : order_) {
    uint32_t index = events_[event].first_delivery;
    for (; index != no_slot; index = deliveries_[index].event_next) {
      deliveries_[index].start_journal = owner_of(deliveries_[index].webhook_number) & 0xff;
    }
  }
}

void PendingTable::for_each(uint32_t shard, const index::Index::VisitPending& visit) const {
  visit_each(visit, [shard](const Delivery& one) { return one.start_journal == shard; });
}

template <typename Wanted>
void PendingTable::visit_each(const index::Index::VisitPending& visit, Wanted wanted) const {
  const std::vector<uint32_t> made = order_.empty() ? in_order() : std::vector<uint32_t>{};
  for (const uint32_t event : order_.empty() ? made : order_) {
    const auto pending = deliveries_of(event, wanted);
    if (!pending.empty()) visit(events_[event].position(), events_[event].uid, pending);
  }
}

template <typename Wanted>
std::vector<index::PendingDelivery> PendingTable::deliveries_of(uint32_t event,
                                                                Wanted wanted) const {
  std::vector<index::PendingDelivery> pending;
  uint32_t index = events_[event].first_delivery;
  for (; index != no_slot; index = deliveries_[index].event_next) {
    const Delivery& delivery = deliveries_[index];
    if (!wanted(delivery)) continue;
    pending.push_back({delivery.webhook_number, delivery.attempts, to_time(delivery.due_s)});
  }
  std::ranges::sort(pending, {}, &index::PendingDelivery::webhook_number);
  return pending;
}

size_t PendingTable::memory_bytes() const {
  constexpr size_t node_bytes = 40;  // Of a hash map, about.
  return events_.memory_bytes() + deliveries_.memory_bytes() + by_key_.memory_bytes() +
         (unseen_.size() + carried_.size()) * node_bytes + order_.capacity() * sizeof(uint32_t);
}

// --- checks --------------------------------------------------------------------------------------

void PendingTable::check() const {
  uint64_t open = 0;
  uint64_t found = 0;
  for (uint32_t event = 0; event < events_.index_end(); ++event) {
    if (!events_[event].position().valid()) continue;
    uint32_t before = no_slot;
    for (uint32_t index = events_[event].first_delivery; index != no_slot; ++found) {
      const Delivery& delivery = deliveries_[index];
      RINGPOST_ASSERT(delivery.event == event);
      RINGPOST_ASSERT(delivery.event_previous == before);
      const bool ended = delivery.state == static_cast<uint32_t>(State::ended);
      RINGPOST_ASSERT(!ended || events_[event].seen == 0);
      open += ended ? 0 : 1;
      before = std::exchange(index, delivery.event_next);
    }
  }
  RINGPOST_ASSERT(open == open_);
  RINGPOST_ASSERT(found == deliveries_.taken());
}

}  // namespace ringpost::control
