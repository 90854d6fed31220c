#pragma once

#include "base/assert.h"
#include "journal/record.h"

#include <cstdint>
#include <unordered_map>

namespace ringpost::delivery {

/// The events that the deliveries of a shard have in memory. Each is there once, and counts once,
/// however many deliveries hold it.
class EventStock {
 public:
  /// A delivery holds the event from now on. @returns what it is to hold: the one that is there.
  const journal::EventRef& hold(const journal::EventRef& event) {
    Held& held = held_[event->position().packed];
    if (held.holders++ == 0) {
      bytes_ += event->record().size();
      held.event = event;
    }
    return held.event;
  }
  /// A delivery lets go of what `hold` returned.
  void release(const journal::EventRef& event) {
    const auto found = held_.find(event->position().packed);
    RINGPOST_ASSERT(found != held_.end());
    if (--found->second.holders > 0) return;
    bytes_ -= event->record().size();
    held_.erase(found);
  }
  /// The event, if any delivery holds it; else empty.
  journal::EventRef find(journal::Position position) const {
    const auto found = held_.find(position.packed);
    return found == held_.end() ? journal::EventRef{} : found->second.event;
  }
  /// The event, which some delivery holds.
  const journal::EventRef& at(journal::Position position) const {
    const auto found = held_.find(position.packed);
    RINGPOST_ASSERT(found != held_.end());
    return found->second.event;
  }
  bool has(journal::Position position) const { return held_.contains(position.packed); }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Held {
    journal::EventRef event;
    uint32_t holders = 0;
  };
  std::unordered_map<uint64_t, Held> held_;  ///< By position.
  uint64_t bytes_ = 0;
};

}  // namespace ringpost::delivery
