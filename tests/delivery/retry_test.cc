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
  EXPECT_EQ(parse_retry_after("0", now), seconds{0});
  EXPECT_EQ(parse_retry_after("Sun, 04 May 2031 09:10:07 GMT", now), seconds{120});
}

TEST(ParseRetryAfter, ClampsWhatAReceiverMayAskFor) {
  EXPECT_EQ(parse_retry_after("86400", now), retry_after_max);
  EXPECT_EQ(parse_retry_after("99999999999999999999", now), retry_after_max);
  EXPECT_EQ(parse_retry_after("Mon, 05 May 2031 09:08:07 GMT", now), retry_after_max);
  EXPECT_EQ(parse_retry_after("Sat, 03 May 2031 09:08:07 GMT", now), seconds{0});
}

TEST(ParseRetryAfter, IgnoresEverythingElse) {
  for (const char* text :
       {"", "soon", "-1", "1.5", "12 ", "Sun, 04 Foo 2031 09:10:07 GMT", "04 May 2031 09:10:07 GMT",
        "Sun, 31 Feb 2031 09:10:07 GMT", "Sun, 04 May 2031 25:10:07 GMT",
        "Sunday, 04-May-31 09:10:07 GMT", "Sun, 04 May 2031 09:10:07 CET"}) {
    EXPECT_FALSE(parse_retry_after(text, now)) << text;
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
