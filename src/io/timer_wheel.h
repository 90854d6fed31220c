#pragma once

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "io/timer.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace ringpost::io {

/// Deadlines of one shard (Varghese and Lauck's hashed wheel): arm and disarm are O(1), expiry is
/// O(timers due). Timers beyond one revolution stay in their slot and are passed over.
class TimerWheel {
 public:
  static constexpr Duration tick = std::chrono::milliseconds{4};
  static constexpr uint32_t slot_count = 16'384;  // 65 s a revolution; longer delays go round.

  TimerWheel();
  ~TimerWheel();

  /// Arms `timer` for `due`; moves it if it is armed.
  void arm(Timer& timer, Instant due, void* owner, Timer::Handler handler);
  void disarm(Timer& timer);

  /// Runs the handlers of all timers due at `now`, in order of their ticks. A handler may arm and
  /// disarm any timer. @returns how many ran.
  uint32_t expire(Instant now);

  /// When `expire` next has something to do, at the latest; nothing if no timer is armed.
  std::optional<Instant> next_due() const;

  uint64_t armed_count() const { return armed_count_; }

 private:
  struct Slots;
  std::unique_ptr<Slots> slots_;
  uint64_t armed_count_ = 0;
};

}  // namespace ringpost::io
