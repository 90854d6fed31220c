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
  for (uint32_t told = events_[index].first_delivery; told != no_slot;) {
    link_by_time(told);
    told = deliveries_[told].event_next;
  }
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
  if (!recovered_) carried_[position.packed] = {carried.times, record};
  uint32_t index = told_event(view, position);
  const bool moves = index != no_slot;
  ledger_.on_carried(record, carried, place, key_of_organization(view.organization));
  if (!moves && told) {
    ledger_.on_settled(record);
    return place;
  }
  if (moves) ledger_.on_settled(place);
  if (!moves) index = begin_event(view, position);
  places_.put(position, record);
  keep_only(index, view);
  update(index, view, carried);
  drop_ended(index);
  return told ? std::optional{place} : std::nullopt;
}

/// During recovery: whether a newer record of the event was told already. That one goes no sooner.
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

std::vector<PendingTable::Handle> PendingTable::events_in(uint32_t journal,
                                                          uint32_t segment) const {
  std::vector<std::pair<Position, Handle>> found;
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    const Position position = events_[index].position();
    if (!position.valid() || events_[index].seen == 0) continue;
    const Position place = places_.place_of(position);
    if (place.journal() != journal || place.segment() != segment) continue;
    found.push_back({place, {position, index}});
  }
  std::ranges::sort(found, {}, [](const auto& one) { return one.first; });
  std::vector<Handle> handles;
  handles.reserve(found.size());
  for (const auto& [place, handle] : found) handles.push_back(handle);
  return handles;
}

std::vector<index::PendingDelivery> PendingTable::find_pending(const Handle& event) const {
  if (event.slot >= events_.index_end()) return {};
  if (events_[event.slot].position() != event.event || events_[event.slot].seen == 0) return {};
  return deliveries_of(event.slot);
}

// --- outcomes ------------------------------------------------------------------------------------

void PendingTable::on_outcome(const Outcome& outcome) {
  const Position event = outcome.delivery.event;
  if (outcome.record.valid()) {
    const uint32_t number = outcome.delivery.webhook_number;
    ledger_.on_outcome(outcome.record, event, outcome.started_at,
                       owner_of_ ? owner_of_(number) : OrganizationKey::unknown);
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
  if (event.journal() >= told_.size()) return carried_.contains(event.packed);
  const Told& told = told_[event.journal()];
  const bool begun = recovered_ || (told.first.valid() && told.first <= event);
  return (begun && event <= told.last) || carried_.contains(event.packed);
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
  if (event.seen != 0) link_by_time(index);
  return index;
}

void PendingTable::drop(uint32_t index) {
  const Delivery& delivery = deliveries_[index];
  if (delivery.state != static_cast<uint32_t>(State::ended)) --open_;
  if (events_[delivery.event].seen != 0) unlink_by_time(index);
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
  const Position position = events_[index].position();
  ledger_.on_settled(places_.place_of(position));
  places_.erase(position);
  events_.give_back(index);
}

void PendingTable::drop_deliveries(uint32_t event) {
  while (events_[event].first_delivery != no_slot) drop(events_[event].first_delivery);
}

// --- by webhook ----------------------------------------------------------------------------------

/// Puts a delivery into its webhook's chain, which the events' uids order: shards tell of their
/// events in turns, and each of them nearly by time. So the place is looked for from where the last
/// one went, which also costs little while the clock is set back.
void PendingTable::link_by_time(uint32_t index) {
  const Ulid& uid = uid_of(index);
  Delivery& delivery = deliveries_[index];
  Chain& chain = chains_[delivery.webhook_number];
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
  if (older == no_slot) chain.oldest = index;
  chain.latest = index;
}

void PendingTable::unlink_by_time(uint32_t index) {
  const Delivery& delivery = deliveries_[index];
  const auto place = chains_.find(delivery.webhook_number);
  Chain& chain = place->second;
  if (delivery.older != no_slot) deliveries_[delivery.older].newer = delivery.newer;
  if (delivery.newer != no_slot) deliveries_[delivery.newer].older = delivery.older;
  if (chain.oldest == index) chain.oldest = delivery.newer;
  if (chain.latest == index) {
    chain.latest = delivery.newer != no_slot ? delivery.newer : delivery.older;
  }
  if (chain.latest == no_slot) chains_.erase(place);
}

// --- recovery ------------------------------------------------------------------------------------

void PendingTable::finish_recovery(const SettledMarks& marks) {
  drop_unseen();
  carried_.clear();
  recovered_ = true;
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    const Position position = places_.place_of(events_[index].position());
    if (!position.valid() || position.journal() >= marks.size()) continue;
    if (position.segment() > marks[position.journal()]) continue;
    drop_deliveries(index);  // The segments of their outcomes have gone.
    drop_event_if_done(index);
  }
}

/// Their events' segments have gone.
void PendingTable::drop_unseen() {
  for (const auto& [position, event] : unseen_) {
    drop_deliveries(event);
    events_.give_back(event);
  }
  unseen_.clear();
}

void PendingTable::for_each(const index::Index::VisitPending& visit) const {
  std::vector<std::pair<uint64_t, uint32_t>> open;
  for (uint32_t index = 0; index < events_.index_end(); ++index) {
    const Position position = events_[index].position();
    if (position.valid() && events_[index].seen != 0) open.emplace_back(position.packed, index);
  }
  std::sort(open.begin(), open.end());
  for (const auto& [position, event] : open) {
    visit(Position{position}, events_[event].uid, deliveries_of(event));
  }
}

std::vector<index::PendingDelivery> PendingTable::deliveries_of(uint32_t event) const {
  std::vector<index::PendingDelivery> pending;
  uint32_t index = events_[event].first_delivery;
  for (; index != no_slot; index = deliveries_[index].event_next) {
    const Delivery& delivery = deliveries_[index];
    pending.push_back({delivery.webhook_number, delivery.attempts, to_time(delivery.due_s)});
  }
  std::ranges::sort(pending, {}, &index::PendingDelivery::webhook_number);
  return pending;
}

// --- for people ----------------------------------------------------------------------------------

std::optional<WallTime> PendingTable::oldest_at() const {
  return oldest_at([](uint32_t) { return true; });
}

std::optional<WallTime> PendingTable::oldest_at(const index::WantsWebhook& wants) const {
  std::optional<WallTime> oldest;
  for (const auto& [number, chain] : chains_) {
    if (!wants(number)) continue;
    const WallTime time = uid_of(chain.oldest).time();
    if (!oldest || time < *oldest) oldest = time;
  }
  return oldest;
}

std::optional<WallTime> PendingTable::oldest_at(uint32_t webhook_number) const {
  const auto found = chains_.find(webhook_number);
  if (found == chains_.end()) return std::nullopt;
  return uid_of(found->second.oldest).time();
}

size_t PendingTable::memory_bytes() const {
  constexpr size_t node_bytes = 40;  // Of a hash map, about.
  return events_.memory_bytes() + deliveries_.memory_bytes() + by_key_.memory_bytes() +
         (unseen_.size() + chains_.size()) * node_bytes;
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
  check_chains();
}

/// Oldest first, by the events' uids.
void PendingTable::check_chains() const {
  for (const auto& [number, chain] : chains_) {
    RINGPOST_ASSERT(chain.oldest != no_slot && chain.latest != no_slot);
    for (uint32_t index = chain.oldest, before = no_slot; index != no_slot;) {
      const Delivery& delivery = deliveries_[index];
      RINGPOST_ASSERT(delivery.webhook_number == number);
      RINGPOST_ASSERT(delivery.older == before);
      RINGPOST_ASSERT(before == no_slot || uid_of(index) >= uid_of(before));
      before = std::exchange(index, delivery.newer);
    }
  }
}

}  // namespace ringpost::control
