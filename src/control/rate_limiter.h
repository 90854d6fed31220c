#pragma once

#include "api/rate.h"
#include "base/clock.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace ringpost::control {

/// Counts the calls that organizations and tokens make of each management API, in windows of time.
/// Kept in memory: a restart begins anew.
///
/// Bounded: at most `windows_max` windows. Only calls that passed authentication are counted, two
/// windows for each token at most; beyond the bound the one that would end first is forgotten.
class RateLimiter {
 public:
  static constexpr size_t windows_max = 20'000;  ///< About 200 bytes each.

  explicit RateLimiter(size_t most = windows_max) : most_(most) {}

  struct Caller {
    std::string_view api;  ///< Whose limits they are.
    std::string_view organization;
    uint32_t token_number = 0;
  };
  /// Counts a call, unless it is beyond one of the limits.
  api::Rate count(const Caller& caller, const api::RateLimits& limits, Instant now);

  size_t window_count() const { return windows_.size(); }

 private:
  struct Window {
    Instant ends;
    uint32_t used = 0;
  };

  Window& window(const std::string& key, Duration length, Instant now);

  const size_t most_;
  std::map<std::string, Window> windows_;
  std::set<std::pair<Instant, std::string>> by_end_;
};

}  // namespace ringpost::control
