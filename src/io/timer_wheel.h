#pragma once

#include "base/clock.h"
#include "io/timer.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace ringpost::io {

/// Deadlines of one shard (Varghese and Lauck's hashed wheel): arm and disarm are O(1), expiry is
/// O(timers due). Timers beyond one revolution stay in their slot and are passed over.
///
/// The wheel knows the earliest tick of each slot, so an idle shard sleeps until the first deadline
/// however far it is, and a long pause does not have to be walked through tick by tick.
class TimerWheel {
 public:
  static constexpr Duration tick = std::chrono::milliseconds{4};
  static constexpr uint32_t slot_count = 16'384;  // 65 s a revolution; longer delays go round.

  TimerWheel();
  ~TimerWheel();

  /// Arms `timer` for `due`; moves it if it is armed. A `due` at or before the tick that expired
  /// last becomes the next tick: a handler that arms its timer again cannot keep `expire` busy.
  void arm(Timer& timer, Instant due, void* owner, Timer::Handler handler);
  void disarm(Timer& timer);

  /// Runs the handlers of all timers due at `now`, in order of their ticks. A handler may arm,
  /// disarm and destroy any timer. @returns how many ran.
  uint32_t expire(Instant now);

  /// When `expire` next has something to do, at the latest; nothing if no timer is armed. It may be
  /// too early by one disarmed timer, never too late. O(1).
  std::optional<Instant> next_due() const;

  uint64_t armed_count() const { return armed_count_; }

 private:
  struct Slots;

  uint32_t run_slot(uint64_t tick_due);

  std::unique_ptr<Slots> slots_;
  uint64_t armed_count_ = 0;
  uint64_t expired_tick_ = 0;  ///< Ticks up to this one have run.
};

}  // namespace ringpost::io
