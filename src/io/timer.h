#pragma once

#include "base/clock.h"
#include "base/intrusive_list.h"

#include <cstdint>

namespace ringpost::io {

class TimerWheel;

/// A deadline, embedded in the object that waits for it. Disarms itself when destroyed.
class Timer {
 public:
  using Handler = void (*)(void* owner);

  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  bool armed() const { return link_.linked(); }
  /// When it runs; only while armed.
  Instant due() const { return due_; }

 private:
  friend class TimerWheel;

  ListLink link_;
  Instant due_{};
  TimerWheel* wheel_ = nullptr;  ///< Where it is armed; lives longer than the armed timer.
  void* owner_ = nullptr;
  Handler handler_ = nullptr;
};

}  // namespace ringpost::io
