#pragma once

#include "base/clock.h"
#include "io/ring.h"

#include <atomic>
#include <cstdint>
#include <thread>

namespace ringpost::load {

/// Wakes a ring at a given time, to some 0.1 ms: the ring's own timers have a tick of 4 ms, which
/// is plenty for deadlines and too coarse for a schedule.
///
/// Thread safety: used by the ring's thread.
class Pacer {
 public:
  /// @param waker  lives longer than this.
  explicit Pacer(io::Waker& waker);
  ~Pacer();
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  /// The ring is woken once at `time`, instead of at the time given before if that has not come.
  /// Times do not decrease.
  void wake_at(Instant time);

 private:
  void run();

  io::Waker& waker_;
  struct {
    std::atomic<int64_t> due_ns{0};  ///< 0: nothing to wait for. Pairs with run().
    std::atomic<bool> over{false};
  } shared_;
  std::thread thread_;
};

}  // namespace ringpost::load
