#include "delivery/retry.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringpost::delivery {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const WallTime now = *parse_rfc3339("2031-05-04T09:08:07Z");

TEST(ParseRetryAfter, ReadsSecondsAndDates) {
  EXPECT_EQ(parse_retry_after("120", now), seconds{120});
  EXPECT_EQ(parse_retry_after("Sun, 04 May 2031 09:10:07 GMT", now), seconds{120});
  EXPECT_EQ(parse_retry_after("Sunday, 04-May-31 09:10:07 GMT", now), seconds{120});
  EXPECT_EQ(parse_retry_after("Sun May  4 09:10:07 2031", now), seconds{120});
  EXPECT_EQ(parse_retry_after("Sat, 03 May 2031 09:08:07 GMT", now), seconds{0});
  EXPECT_FALSE(parse_retry_after("soon", now));
}

TEST(ParseRetryAfter, ClampsWhatAReceiverMayAskFor) {
  for (const char* text : {"86400", "99999999999999999999", "Mon, 05 May 2031 09:08:07 GMT",
                           "Mon, 01 Jan 2300 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"}) {
    EXPECT_EQ(parse_retry_after(text, now), retry_after_max) << text;
  }
}

// Goal: a wave of failures comes back spread out, and never before three quarters of its delay.
// Method: many draws; each quarter of the allowed range gets its share.
TEST(NextDelay, SpreadsOverTheAllowedRange) {
  const std::vector<uint32_t> schedule{100};
  Prng random{3};
  int quarters[4] = {};
  for (int draw = 0; draw < 4000; ++draw) {
    const auto delay = next_delay(schedule, 1, std::nullopt, random);
    ASSERT_TRUE(delay);
    ASSERT_GE(*delay, seconds{75});
    ASSERT_LE(*delay, seconds{125});
    ++quarters[std::min<int64_t>(3, (*delay - seconds{75}) / std::chrono::milliseconds{12'500})];
  }
  for (int count : quarters) EXPECT_GT(count, 800);
}

TEST(NextDelay, FollowsTheScheduleToItsEnd) {
  const std::vector<uint32_t> schedule{1, 1000};
  Prng random{1};
  EXPECT_LT(*next_delay(schedule, 1, std::nullopt, random), seconds{2});
  EXPECT_GT(*next_delay(schedule, 2, std::nullopt, random), seconds{700});
  EXPECT_FALSE(next_delay(schedule, 3, std::nullopt, random));
  EXPECT_FALSE(next_delay({}, 1, std::nullopt, random));
}

TEST(NextDelay, WaitsAtLeastAsLongAsTheReceiverAsked) {
  const std::vector<uint32_t> schedule{1};
  Prng random{1};
  EXPECT_EQ(next_delay(schedule, 1, seconds{600}, random), seconds{600});
  EXPECT_GE(*next_delay(schedule, 1, seconds{0}, random), std::chrono::milliseconds{750});
  // A single attempt stays single, whatever the receiver asks for.
  EXPECT_FALSE(next_delay({}, 1, seconds{600}, random));
}

}  // namespace
}  // namespace ringpost::delivery
