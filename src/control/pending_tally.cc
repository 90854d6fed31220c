#include "control/pending_tally.h"

#include "base/assert.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using index::Outcome;
using journal::Position;

void PendingTally::restore(Position event, const Ulid& uid,
                           const std::vector<index::PendingDelivery>& pending) {
  const Position place = places_.place_of(event);
  for (const index::PendingDelivery& one : pending) add(place, one.webhook_number, uid.time());
  if (place != event) carried_[event.packed] = static_cast<uint32_t>(pending.size());
  note_told(event);
}

std::optional<Position> PendingTally::on_event(const journal::EventView& view, Position record) {
  note_told(record);
  if (view.is_carried()) return on_carried(view, record);
  ledger_.on_event(record, view.accepted_at, key_of_organization(view.organization));
  const auto early = early_.extract(record.packed);
  for (uint32_t which = 0; which < view.webhook_count(); ++which) {
    const uint32_t number = view.webhook_number(which);
    const bool ended = !early.empty() && std::ranges::count(early.mapped(), number) > 0;
    if (!ended) add(record, number, view.uid.time());
  }
  return std::nullopt;
}

void PendingTally::add(Position record, uint32_t webhook_number, WallTime accepted_at) {
  ledger_.add_pending(record, 1);
  ages_[webhook_number].add(accepted_at);
  ++open_;
}

/// The record is for what was pending when it was asked for: some may have ended since.
/// @returns the record that it replaces.
Position PendingTally::on_carried(const journal::EventView& view, Position record) {
  const Position event = view.position(record);
  const Position place = places_.place_of(event);
  const auto carried = carrying_.extract(event.packed);
  const auto left = carried.empty() ? 0 : static_cast<uint32_t>(carried.mapped().size());
  ledger_.on_carried(record, view.unpack_carried(), place, key_of_organization(view.organization));
  if (left == 0) return place;
  ledger_.settle(place, left);
  ledger_.add_pending(record, left);
  places_.put(event, record);
  carried_[event.packed] = left;
  return place;
}

void PendingTally::begin_carrying(Position event, std::vector<uint32_t> webhook_numbers) {
  carrying_[event.packed] = std::move(webhook_numbers);
}

void PendingTally::on_outcome(const Outcome& outcome) {
  const Position event = outcome.delivery.event;
  if (outcome.record.valid()) {
    ledger_.on_outcome(outcome.record, event, outcome.started_at,
                       owner_of(owner_of_, outcome.delivery.webhook_number));
  }
  if (!journal::is_end(outcome.status)) return;
  if (was_told(event)) return end(outcome);
  early_[event.packed].push_back(outcome.delivery.webhook_number);
}

void PendingTally::end(const Outcome& outcome) {
  const auto& [event, number] = outcome.delivery;
  ledger_.settle(places_.place_of(event), 1);
  end_carried(event, number);
  const auto ages = ages_.find(number);
  RINGPOST_ASSERT(ages != ages_.end() && open_ > 0);
  ages->second.remove(outcome.accepted_at);
  if (ages->second.empty()) ages_.erase(ages);
  --open_;
}

void PendingTally::end_carried(Position event, uint32_t webhook_number) {
  if (const auto found = carrying_.find(event.packed); found != carrying_.end()) {
    std::erase(found->second, webhook_number);
  }
  const auto found = carried_.find(event.packed);
  if (found == carried_.end() || --found->second > 0) return;
  carried_.erase(found);
  places_.erase(event);
}

bool PendingTally::was_told(Position event) const {
  return event.journal() < told_.size() && event <= told_[event.journal()];
}

void PendingTally::note_told(Position event) {
  if (told_.size() <= event.journal()) told_.resize(event.journal() + 1);
  Position& told = told_[event.journal()];
  told = std::max(told, event);
}

std::optional<WallTime> PendingTally::oldest_at() const {
  return oldest_at([](uint32_t) { return true; });
}

std::optional<WallTime> PendingTally::oldest_at(const index::WantsWebhook& wants) const {
  std::optional<WallTime> oldest;
  for (const auto& [number, ages] : ages_) {
    if (!wants(number)) continue;
    if (!oldest || ages.oldest() < *oldest) oldest = ages.oldest();
  }
  return oldest;
}

std::optional<WallTime> PendingTally::oldest_at(uint32_t webhook_number) const {
  const auto found = ages_.find(webhook_number);
  if (found == ages_.end()) return std::nullopt;
  return found->second.oldest();
}

size_t PendingTally::memory_bytes() const {
  constexpr size_t node_bytes = 64;  // Of a hash map, about.
  size_t bytes = (early_.size() + carrying_.size() + carried_.size()) * node_bytes;
  for (const auto& [number, ages] : ages_) bytes += node_bytes + ages.memory_bytes();
  return bytes;
}

void PendingTally::check() const {
  uint64_t open = 0;
  for (const auto& [number, ages] : ages_) {
    RINGPOST_ASSERT(!ages.empty());
    open += ages.count();
  }
  RINGPOST_ASSERT(open == open_);
  RINGPOST_ASSERT(ledger_.pending() == open_);
  RINGPOST_ASSERT(places_.size() == carried_.size());
}

}  // namespace ringpost::control
