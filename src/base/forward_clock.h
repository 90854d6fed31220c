#pragma once

#include "base/clock.h"
#include "base/ulid.h"

#include <algorithm>

namespace ringpost {

/// The wall clock for what has to grow: ids. Each time that it tells is later than the one before,
/// by as much as ids can show. Where the wall clock was set back it goes on from where it was, as
/// fast as time passes; else it is the wall clock. One thread.
class ForwardClock {
 public:
  /// @param from  it tells later times only.
  explicit ForwardClock(WallTime from = {}) : told_(from) {}

  /// @param wall, now  both clocks of the caller's ring, read together.
  WallTime read(WallTime wall, Instant now) {
    const Duration passed = now_ == Instant{} ? Duration::zero() : now - now_;
    now_ = now;
    told_ = std::max(wall, told_ + std::max(passed, Duration{Ulid::resolution}));
    return told_;
  }

 private:
  WallTime told_;
  Instant now_{};  ///< When it was asked last.
};

}  // namespace ringpost
