#include "base/histogram.h"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

using std::chrono::microseconds;

// Goal: a quantile is never below the truth and at most an eighth above it (1 us below 8 us).
TEST(Histogram, BoundsAQuantileFromAbove) {
  for (int64_t us = 0; us < 60'000'000; us = us * 9 / 8 + 1) {
    Histogram histogram;
    histogram.record(microseconds{us});
    Histogram::Buckets buckets{};
    histogram.add_to(buckets);
    const Duration bound = Histogram::quantile(buckets, 500);
    EXPECT_GT(bound, microseconds{us});
    EXPECT_LE(bound, microseconds{us + us / 8 + 1}) << us;
  }
}

TEST(Histogram, FindsTheTail) {
  Histogram histogram;
  for (int index = 0; index < 98; ++index) histogram.record(microseconds{100});
  for (int index = 0; index < 2; ++index) histogram.record(microseconds{9000});
  Histogram::Buckets buckets{};
  histogram.add_to(buckets);
  EXPECT_LT(Histogram::quantile(buckets, 500), microseconds{120});
  EXPECT_LT(Histogram::quantile(buckets, 980), microseconds{120});
  EXPECT_GT(Histogram::quantile(buckets, 990), microseconds{9000});
  EXPECT_EQ(Histogram::quantile(Histogram::Buckets{}, 500), Duration::zero());
}

TEST(Histogram, PutsWhatIsOutsideIntoTheEndBuckets) {
  Histogram histogram;
  histogram.record(Duration{-5});
  histogram.record(std::chrono::hours{10});
  Histogram::Buckets buckets{};
  histogram.add_to(buckets);
  EXPECT_EQ(buckets.front(), 1u);
  EXPECT_EQ(buckets.back(), 1u);
}

TEST(Histogram, AddsUpWhatWasRecorded) {
  Histogram histogram;
  EXPECT_EQ(histogram.sum(), Duration::zero());
  histogram.record(microseconds{3});
  histogram.record(std::chrono::hours{10});
  histogram.record(Duration{-5});  // A clock was set back: nothing to subtract.
  EXPECT_EQ(histogram.sum(), std::chrono::hours{10} + microseconds{3});
}

}  // namespace
}  // namespace ringpost
