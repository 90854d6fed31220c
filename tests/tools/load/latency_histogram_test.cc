#include "load/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringpost::load {
namespace {

using std::chrono::microseconds;

double us(Duration duration) {
  return static_cast<double>(duration.count()) / 1000;
}

TEST(LatencyHistogram, QuantilesAreWithinOneInAThousand) {
  for (const double factor : {1.0, 37.0, 5'000.0, 900'000.0}) {
    LatencyHistogram histogram;
    for (int value = 1; value <= 1000; ++value) {
      histogram.record(Duration{static_cast<int64_t>(value * factor * 1000)});
    }
    for (const double share : {0.001, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const double exact = share * 1000 * factor;
      EXPECT_GE(us(histogram.quantile(share)) + 1, exact) << factor << " " << share;
      EXPECT_LE(us(histogram.quantile(share)), exact * 1.001 + 1) << factor << " " << share;
    }
    EXPECT_EQ(us(histogram.max()), 1000 * factor);
    EXPECT_NEAR(us(histogram.mean()), 500.5 * factor, factor * 0.01);
    EXPECT_NEAR(us(histogram.standard_deviation()), 288.7 * factor, factor);
  }
}

TEST(LatencyHistogram, NothingRecordedIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.quantile(0.99), Duration{});
  EXPECT_EQ(histogram.max(), Duration{});
  EXPECT_EQ(histogram.mean(), Duration{});
  EXPECT_TRUE(histogram.points().empty());
}

TEST(LatencyHistogram, ExtremesHaveAPlace) {
  LatencyHistogram histogram;
  histogram.record(Duration{-5});
  histogram.record(std::chrono::hours{1000});
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.quantile(0.5), Duration{});
  EXPECT_EQ(histogram.max(), std::chrono::hours{1000});
}

TEST(LatencyHistogram, SumsAreAsIfRecordedInOne) {
  LatencyHistogram one;
  LatencyHistogram other;
  LatencyHistogram both;
  for (int value = 1; value < 100; ++value) {
    (value % 3 == 0 ? one : other).record(microseconds{value * value});
    both.record(microseconds{value * value});
  }
  one.add(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.quantile(0.7), both.quantile(0.7));
  EXPECT_EQ(one.max(), both.max());
  one.clear();
  EXPECT_EQ(one.count(), 0u);
}

TEST(LatencyHistogram, ShareAboveALimit) {
  LatencyHistogram histogram;
  for (int value = 1; value <= 100; ++value) histogram.record(std::chrono::milliseconds{value});
  EXPECT_NEAR(histogram.share_above(std::chrono::milliseconds{90}), 0.1, 0.001);
}

TEST(LatencyHistogram, PointsGrowAndEndWithAll) {
  LatencyHistogram histogram;
  for (int value = 1; value <= 10'000; ++value) histogram.record(microseconds{value});
  const auto points = histogram.points();
  ASSERT_GT(points.size(), 20u);
  EXPECT_LT(points.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(points, {}, &LatencyHistogram::Point::share));
  EXPECT_TRUE(std::ranges::is_sorted(points, {}, &LatencyHistogram::Point::value));
  EXPECT_EQ(points.back().share, 1.0);
  EXPECT_EQ(points.back().value, histogram.max());
  EXPECT_EQ(points.back().count, 10'000u);
}

TEST(ToHgrm, IsAsHdrHistogramWritesIt) {
  LatencyHistogram histogram;
  histogram.record(std::chrono::milliseconds{1});
  histogram.record(std::chrono::milliseconds{2});
  EXPECT_EQ(to_hgrm(histogram),
            "       Value     Percentile TotalCount 1/(1-Percentile)\n"
            "\n"
            "       1.000 0.500000000000          1           2.00\n"
            "       2.000 1.000000000000          2\n"
            "#[Mean    =        1.500, StdDeviation   =        0.500]\n"
            "#[Max     =        2.000, Total count    =            2]\n"
            "#[Buckets =           28, SubBuckets     =         1024]\n");
}

}  // namespace
}  // namespace ringpost::load
