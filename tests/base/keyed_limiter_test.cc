#include "base/keyed_limiter.h"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

using std::chrono::seconds;

Instant at(int64_t second) {
  return Instant{seconds(second)};
}

TEST(KeyedLimiter, AllowsABurstAndThenOneInEachInterval) {
  KeyedLimiter limiter({.burst = 3, .interval = seconds(10)});
  for (int count = 0; count < 3; ++count) {
    EXPECT_EQ(limiter.wait(7, at(100)), Duration{}) << count;
    limiter.take(7, at(100));
  }
  EXPECT_EQ(limiter.wait(7, at(100)), seconds(10));
  EXPECT_EQ(limiter.wait(7, at(109)), seconds(1));
  EXPECT_EQ(limiter.wait(7, at(110)), Duration{});
  limiter.take(7, at(110));
  EXPECT_EQ(limiter.wait(7, at(110)), seconds(10));
  EXPECT_EQ(limiter.wait(7, at(1000)), Duration{});  // Full again, and not more than full.
  for (int count = 0; count < 3; ++count) limiter.take(7, at(1000));
  EXPECT_EQ(limiter.wait(7, at(1000)), seconds(10));
}

TEST(KeyedLimiter, KeepsKeysApart) {
  KeyedLimiter limiter({.burst = 1, .interval = seconds(10)});
  limiter.take(1, at(100));
  EXPECT_EQ(limiter.wait(1, at(100)), seconds(10));
  EXPECT_EQ(limiter.wait(2, at(100)), Duration{});
  EXPECT_EQ(limiter.wait(1 + 256, at(100)), Duration{});  // Of the same set.
}

TEST(KeyedLimiter, KnowsWhichKeysHaveNothingCountedAgainstThem) {
  KeyedLimiter limiter({.burst = 3, .interval = seconds(10)});
  EXPECT_TRUE(limiter.idle(7, at(100)));
  limiter.take(7, at(100));
  EXPECT_FALSE(limiter.idle(7, at(109))) << "within the limit, but not idle";
  EXPECT_TRUE(limiter.idle(7 + 256, at(109)));
  EXPECT_TRUE(limiter.idle(7, at(110)));
}

TEST(KeyedLimiter, ForgetsTheFullestBucketWhenASetHasNoRoom) {
  KeyedLimiter limiter({.burst = 1, .interval = seconds(10)});
  for (uint64_t key = 0; key < 4; ++key)
    limiter.take(key * 256, at(100 + static_cast<int64_t>(key)));
  limiter.take(4 * 256, at(104));
  EXPECT_EQ(limiter.wait(0, at(104)), Duration{});
  for (uint64_t key = 1; key < 5; ++key) {
    EXPECT_GT(limiter.wait(key * 256, at(104)), Duration{}) << key;
  }
}

}  // namespace
}  // namespace ringpost
