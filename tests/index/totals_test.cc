#include "index/totals.h"

#include "index/rows.h"

#include <gtest/gtest.h>

namespace ringpost::index {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

uint64_t shown(int64_t ms) {
  LatencyHistogram histogram;
  histogram.add(LatencyHistogram::range_of(milliseconds(ms)));
  return histogram.percentile_ms(50).value();
}

TEST(LatencyHistogram, IsExactForShortOnes) {
  for (int64_t ms = 0; ms < 16; ++ms) EXPECT_EQ(shown(ms), static_cast<uint64_t>(ms));
}

TEST(LatencyHistogram, IsAtMostSixPercentOff) {
  for (int64_t ms = 16; ms < UINT32_MAX; ms += ms / 13) {
    EXPECT_NEAR(static_cast<double>(shown(ms)), static_cast<double>(ms),
                static_cast<double>(ms) * 0.0626)
        << ms;
  }
}

TEST(LatencyHistogram, TakesAnyDuration) {
  EXPECT_EQ(LatencyHistogram::range_of(milliseconds(-5)), 0);
  EXPECT_EQ(LatencyHistogram::range_of(Duration::min()), 0);
  EXPECT_EQ(LatencyHistogram::range_of(hours(50 * 24)), LatencyHistogram::ranges_max - 1);
  EXPECT_EQ(LatencyHistogram::range_of(Duration::max()), LatencyHistogram::ranges_max - 1);
}

TEST(LatencyHistogram, TellsPercentilesOfWhatWasMerged) {
  LatencyHistogram fast;
  fast.add(LatencyHistogram::range_of(milliseconds(3)), 98);
  LatencyHistogram slow;
  slow.add(LatencyHistogram::range_of(milliseconds(12)), 2);
  fast.add(slow);
  EXPECT_EQ(fast.percentile_ms(50), 3u);
  EXPECT_EQ(fast.percentile_ms(98), 3u);
  EXPECT_EQ(fast.percentile_ms(99), 12u);
  EXPECT_EQ(LatencyHistogram{}.percentile_ms(99), std::nullopt);
}

TEST(LatencyHistogram, CountsStopAtTheLargestNumber) {
  LatencyHistogram histogram;
  histogram.add(1, UINT32_MAX);
  histogram.add(1, 5);
  ASSERT_EQ(histogram.ranges().size(), 1u);
  EXPECT_EQ(histogram.ranges()[0].count, UINT32_MAX);
}

TEST(Totals, HoursBeginInUtc) {
  const WallTime time = *parse_rfc3339("2031-05-04T09:59:59.999Z");
  EXPECT_EQ(begin_of_hour(hour_of(time)), *parse_rfc3339("2031-05-04T09:00:00Z"));
  EXPECT_EQ(hour_of(time + milliseconds(1)), hour_of(time) + 1);
  EXPECT_EQ(hour_of(WallTime{} - hours(3)), 0u);
}

TEST(Totals, ARowIsReadAsItWasWritten) {
  TotalsRow row{.key = {7, 527'000}, .totals = {.events = 300, .failed = 2, .cancelled = 1}};
  for (const uint8_t range : {uint8_t{0}, uint8_t{9}, uint8_t{239}}) {
    row.totals.latencies.add(range, 70'000);
    row.totals.delivered += 70'000;
  }
  TotalsRow older{.key = {9, 526'998}, .totals = {.dead = 4}};
  std::vector<std::byte> bytes;
  Encoder out(bytes);
  Dictionaries none;
  TotalsRow::State state;
  row.write(out, state, none);
  older.write(out, state, none);

  Decoder in(bytes);
  state = {};
  for (const TotalsRow& written : {row, older}) {
    TotalsRow read;
    ASSERT_TRUE(read.read(in, state, none));
    EXPECT_EQ(read.key, written.key);
    EXPECT_EQ(read.totals, written.totals);
  }
  EXPECT_FALSE(in.failed());
}

TEST(Totals, ARowOfNoSenseIsRefused) {
  for (const std::vector<uint64_t>& numbers : std::vector<std::vector<uint64_t>>{
           {1, 2, 0, 8, 0},              // There is no such count.
           {1, 1, 0, 0, 0},              // Before 1970.
           {1, 2, 0, 0, 241},            // More ranges than there are.
           {1, 2, 0, 0, 1, 240, 1},      // No such range.
           {1, 2, 0, 0, 2, 5, 1, 0, 1},  // The same one twice.
           {1, 2, 0, 0, 1, 5, 0},        // An empty one.
       }) {
    std::vector<std::byte> bytes;
    Encoder out(bytes);
    for (const uint64_t number : numbers) out.number(number);
    Decoder in(bytes);
    TotalsRow::State state;
    TotalsRow row;
    EXPECT_FALSE(row.read(in, state, {}) && !in.failed());
  }
}

}  // namespace
}  // namespace ringpost::index
