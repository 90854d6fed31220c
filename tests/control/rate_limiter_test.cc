// Goal: calls are counted for each organization and token, in windows of the monotonic clock,
// within bounded memory.

#include "control/rate_limiter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace ringpost::control {
namespace {

using api::RateLimits;

constexpr RateLimits limits{.organization_max = 5, .token_max = 3};

Instant at_ms(int64_t ms) {
  return Instant{std::chrono::milliseconds(ms)};
}

TEST(RateLimiter, CountsDownAndRefusesBeyondATokensLimit) {
  RateLimiter limiter;
  for (uint32_t call = 1; call <= 3; ++call) {
    const auto rate = limiter.count({"a", "o", 1}, limits, at_ms(1000 * call));
    EXPECT_FALSE(rate.exceeded());
    EXPECT_EQ(rate.token.limit, 3u);
    EXPECT_EQ(rate.token.remaining(), 3 - call);
    EXPECT_EQ(rate.token.reset_s, 61 - call);
    EXPECT_EQ(rate.organization.remaining(), 5 - call);
  }
  const auto refused = limiter.count({"a", "o", 1}, limits, at_ms(3500));
  EXPECT_TRUE(refused.token_exceeded);
  EXPECT_FALSE(refused.organization_exceeded);
  EXPECT_EQ(refused.tightest().limit, 3u);
  EXPECT_EQ(refused.tightest().used, 3u);
  EXPECT_EQ(refused.tightest().reset_s, 58u);  // Rounded up.
  EXPECT_EQ(refused.organization.used, 3u);    // A refused call uses up nothing.
}

TEST(RateLimiter, RefusesBeyondTheOrganizationsLimitWhateverTheToken) {
  RateLimiter limiter;
  for (uint32_t call = 0; call < 5; ++call) {
    EXPECT_FALSE(limiter.count({"a", "o", call}, limits, at_ms(0)).exceeded());
  }
  const auto refused = limiter.count({"a", "o", 9}, limits, at_ms(1));
  EXPECT_TRUE(refused.organization_exceeded);
  EXPECT_EQ(refused.tightest().limit, 5u);
  EXPECT_FALSE(limiter.count({"a", "other", 10}, limits, at_ms(1)).exceeded());
  EXPECT_FALSE(limiter.count({"b", "o", 9}, limits, at_ms(1)).exceeded());
}

TEST(RateLimiter, BeginsAnewWhenTheWindowEnds) {
  RateLimiter limiter;
  for (int call = 0; call < 4; ++call) limiter.count({"a", "o", 1}, limits, at_ms(0));
  EXPECT_TRUE(limiter.count({"a", "o", 1}, limits, at_ms(59'999)).exceeded());
  EXPECT_EQ(limiter.count({"a", "o", 1}, limits, at_ms(60'000)).token.used, 1u);
}

TEST(RateLimiter, ForgetsWindowsThatEnded) {
  RateLimiter limiter;
  for (uint32_t token = 0; token < 100; ++token) limiter.count({"a", "o", token}, limits, at_ms(0));
  EXPECT_EQ(limiter.window_count(), 101u);
  limiter.count({"a", "o", 7}, limits, at_ms(60'000));
  EXPECT_EQ(limiter.window_count(), 2u);
}

TEST(RateLimiter, KeepsToItsBound) {
  RateLimiter limiter(10);
  for (uint32_t token = 0; token < 1000; ++token) {
    EXPECT_FALSE(
        limiter.count({"a", "o" + std::to_string(token), token}, limits, at_ms(token)).exceeded());
    EXPECT_LE(limiter.window_count(), 10u);
  }
}

}  // namespace
}  // namespace ringpost::control
