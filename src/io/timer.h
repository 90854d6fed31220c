#pragma once

#include "base/assert.h"
#include "base/clock.h"
#include "base/intrusive_list.h"

#include <cstdint>

namespace ringpost::io {

/// A deadline, embedded in the object that waits for it. Disarms itself when destroyed.
class Timer {
 public:
  using Handler = void (*)(void* owner);

  bool armed() const { return link_.linked(); }
  /// When it runs; only while armed.
  Instant due() const { return due_; }

 private:
  friend class TimerWheel;

  ListLink link_;
  Instant due_{};
  void* owner_ = nullptr;
  Handler handler_ = nullptr;
};

}  // namespace ringpost::io
