#pragma once

#include "journal/position.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace ringpost::journal {

/// Where the records of events are that were carried forward and are pending still, by the position
/// that outcomes name them by. About 56 bytes each.
///
/// Thread safety: any thread. Reading takes no lock while there is none.
class CarriedPlaces {
 public:
  /// Where to read the event: at its position, unless it was carried.
  Position place_of(Position event) const {
    if (count_.load(std::memory_order_acquire) == 0) return event;
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(event.packed);
    return found == places_.end() ? event : found->second;
  }
  void put(Position event, Position place) {
    const std::lock_guard lock(mutex_);
    places_[event.packed] = place;
    count_.store(places_.size(), std::memory_order_release);
  }
  void erase(Position event) {
    if (size() == 0) return;
    const std::lock_guard lock(mutex_);
    places_.erase(event.packed);
    count_.store(places_.size(), std::memory_order_release);
  }
  uint64_t size() const { return count_.load(std::memory_order_relaxed); }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, Position> places_;
  std::atomic<uint64_t> count_{0};
};

}  // namespace ringpost::journal
