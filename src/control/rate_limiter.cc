#include "control/rate_limiter.h"

#include <algorithm>
#include <chrono>

namespace ringpost::control {

using api::Rate;
using api::RateUse;

namespace {

RateUse use_of(uint32_t limit, uint32_t used, Duration left) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(left).count();
  return {.limit = limit,
          .used = std::min(used, limit),
          .reset_s = static_cast<uint32_t>(std::max<int64_t>(seconds, 1))};
}

}  // namespace

/// The key's window that has not ended; a fresh one otherwise. Good until the next call.
RateLimiter::Window& RateLimiter::window(const std::string& key, Duration length, Instant now) {
  while (!by_end_.empty() && by_end_.begin()->first <= now) {
    windows_.erase(by_end_.begin()->second);
    by_end_.erase(by_end_.begin());
  }
  if (const auto found = windows_.find(key); found != windows_.end()) return found->second;
  if (windows_.size() >= most_) {
    windows_.erase(by_end_.begin()->second);
    by_end_.erase(by_end_.begin());
  }
  by_end_.emplace(now + length, key);
  return windows_.emplace(key, Window{.ends = now + length}).first->second;
}

Rate RateLimiter::count(const Caller& caller, const api::RateLimits& limits, Instant now) {
  // No name holds a NUL (patterns.h).
  std::string organization_key{caller.api};
  organization_key.append("\0o", 2).append(caller.organization);
  std::string token_key{caller.api};
  token_key.append("\0t", 2).append(std::to_string(caller.token_number));

  const Window organization = window(organization_key, limits.window, now);
  const Window token = window(token_key, limits.window, now);
  Rate rate;
  rate.organization_exceeded = organization.used >= limits.organization_max;
  rate.token_exceeded = token.used >= limits.token_max;
  const uint32_t more = rate.exceeded() ? 0 : 1;
  rate.organization =
      use_of(limits.organization_max, organization.used + more, organization.ends - now);
  rate.token = use_of(limits.token_max, token.used + more, token.ends - now);
  window(organization_key, limits.window, now).used += more;
  window(token_key, limits.window, now).used += more;
  return rate;
}

}  // namespace ringpost::control
