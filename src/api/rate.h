#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstdint>

namespace ringpost::api {

/// How many calls an API takes in a window of time. A window begins with its first call.
struct RateLimits {
  uint32_t organization_max = 0;
  uint32_t token_max = 0;
  Duration window = std::chrono::minutes(1);
};

/// What one window has seen, this call included.
struct RateUse {
  uint32_t limit = 0;
  uint32_t used = 0;     ///< At most `limit`.
  uint32_t reset_s = 0;  ///< Until the window ends, rounded up; at least 1.

  uint32_t remaining() const { return limit - used; }
};

/// What a call found. A call that is refused uses up nothing.
struct Rate {
  RateUse organization;
  RateUse token;
  bool organization_exceeded = false;
  bool token_exceeded = false;

  bool exceeded() const { return organization_exceeded || token_exceeded; }
  /// The window that a refused call has to wait for.
  const RateUse& tightest() const {
    if (!organization_exceeded) return token;
    return token_exceeded && token.reset_s > organization.reset_s ? token : organization;
  }
};

}  // namespace ringpost::api
