#include "http/date.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::http {
namespace {

using std::chrono::seconds;

const WallTime now = *parse_rfc3339("2026-11-29T14:38:00Z");

TEST(HttpDate, FollowsTheSecond) {
  EXPECT_EQ(http_date(from_unix_ns(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(from_unix_ns(999'999'999)), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(from_unix_ns(1'000'000'000)), "Thu, 01 Jan 1970 00:00:01 GMT");
  EXPECT_EQ(http_date(from_unix_ns(951'782'400'000'000'000)), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(http_date(from_unix_ns(4'102'444'799'000'000'000)), "Thu, 31 Dec 2099 23:59:59 GMT");
}

// RFC 9110, 5.6.7: a recipient must accept all three forms.
TEST(HttpDate, IsReadInAllThreeForms) {
  const WallTime there = *parse_rfc3339("1994-11-06T08:49:37Z");
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994"}) {
    EXPECT_EQ(parse_http_date(text, now), there) << text;
  }
  EXPECT_EQ(parse_http_date("Sunday, 29-Nov-26 14:40:00 GMT", now), now + seconds{120});
  EXPECT_EQ(parse_http_date("Sun Nov 29 14:40:00 2026", now), now + seconds{120});
  EXPECT_EQ(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", now),
            parse_rfc3339("2017-01-01T00:00:00Z"));
}

// "… that appears to be more than 50 years in the future as representing the most recent year in
// the past that had the same last two digits."
TEST(HttpDate, TakesTheCenturyOfAYearOfTwoDigitsFromToday) {
  const struct {
    const char* text;
    const char* is;
  } cases[] = {
      {"Sunday, 29-Nov-26 14:38:01 GMT", "2026-11-29T14:38:01Z"},
      {"Saturday, 28-Nov-26 14:38:01 GMT", "2026-11-28T14:38:01Z"},
      {"Sunday, 29-Nov-76 14:38:00 GMT", "2076-11-29T14:38:00Z"},
      {"Sunday, 29-Nov-76 14:38:01 GMT", "1976-11-29T14:38:01Z"},
      {"Friday, 01-Jan-76 00:00:00 GMT", "2076-01-01T00:00:00Z"},
      {"Saturday, 01-Jan-77 00:00:00 GMT", "1977-01-01T00:00:00Z"},
      {"Friday, 31-Dec-99 23:59:59 GMT", "1999-12-31T23:59:59Z"},
      {"Tuesday, 29-Feb-00 00:00:00 GMT", "2000-02-29T00:00:00Z"},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(parse_http_date(each.text, now), parse_rfc3339(each.is)) << each.text;
  }
  const WallTime leap_day = *parse_rfc3339("2028-02-29T12:00:00Z");
  EXPECT_EQ(parse_http_date("Sunday, 01-Mar-78 12:00:00 GMT", leap_day),
            parse_rfc3339("2078-03-01T12:00:00Z"));
  EXPECT_EQ(parse_http_date("Sunday, 02-Mar-78 12:00:00 GMT", leap_day),
            parse_rfc3339("1978-03-02T12:00:00Z"));
}

TEST(HttpDate, HoldsWhatNoClockHereCanAtItsEnd) {
  const auto far = parse_http_date("Sat, 01 Jan 9999 00:00:00 GMT", now);
  ASSERT_TRUE(far);
  EXPECT_EQ(far, parse_http_date("Mon, 01 Jan 2300 00:00:00 GMT", now));
  EXPECT_GT(*far, *parse_rfc3339("2262-01-01T00:00:00Z"));
  const auto long_ago = parse_http_date("Sat Jan  1 00:00:00 0000", now);
  ASSERT_TRUE(long_ago);
  EXPECT_LT(*long_ago, *parse_rfc3339("1700-01-01T00:00:00Z"));
}

TEST(HttpDate, IsNothingElse) {
  for (const char* text : {"",
                           "Sun",
                           "Sun, 06 Nov 1994",
                           "Sun, 06 Nov 1994 08:49:37",
                           "Sun, 06 Nov 1994 08:49:37 CET",
                           "Sun, 06 Nov 1994 08:49:37 GMT ",
                           " Sun, 06 Nov 1994 08:49:37 GMT",
                           "Son, 06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nvo 1994 08:49:37 GMT",
                           "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 94 08:49:37 GMT",
                           "Sun, 31 Feb 2031 09:10:07 GMT",
                           "Sun, 00 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:49:37 GMT",
                           "Sun, 06 Nov 1994 08:60:37 GMT",
                           "Sun, 06 Nov 1994 08:49:61 GMT",
                           "Sun, -6 Nov 1994 08:49:37 GMT",
                           "Sun, 06-Nov-94 08:49:37 GMT",
                           "Sunday, 06-Nov-1994 08:49:37 GMT",
                           "Sunday, 06 Nov 1994 08:49:37 GMT",
                           "Sun Nov 6 08:49:37 1994",
                           "Sun Nov  6 08:49:37 94",
                           "Sun Nov  6 08:49:37 1994 GMT",
                           "06 Nov 1994 08:49:37 GMT",
                           "2026-11-29T14:40:00Z"}) {
    EXPECT_FALSE(parse_http_date(text, now)) << text;
  }
}

TEST(HttpDate, ReadsBackWhatItWrites) {
  for (int64_t time_s = -2'000'000'000; time_s < 9'000'000'000; time_s += 87'654'321) {
    const WallTime time{seconds{time_s}};
    EXPECT_EQ(parse_http_date(http_date(time), now), time) << http_date(time);
  }
}

TEST(RetryAfter, IsSecondsOrADate) {
  EXPECT_EQ(parse_retry_after("120", now), seconds{120});
  EXPECT_EQ(parse_retry_after("0", now), seconds{0});
  EXPECT_EQ(parse_retry_after("Sun, 29 Nov 2026 14:40:00 GMT", now), seconds{120});
  EXPECT_EQ(parse_retry_after("Sunday, 29-Nov-26 14:40:00 GMT", now), seconds{120});
  EXPECT_EQ(parse_retry_after("Sun Nov 29 14:40:00 2026", now), seconds{120});
  EXPECT_EQ(parse_retry_after("Sun, 29 Nov 2026 14:40:00 GMT", now + std::chrono::milliseconds{1}),
            seconds{120});
}

TEST(RetryAfter, HoldsHoweverMuchIsAskedFor) {
  const seconds century{3'155'760'000};
  for (const char* text : {"9223372036854775807", "18446744073709551616", "99999999999999999999999",
                           "Mon, 01 Jan 2300 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"}) {
    const auto pause = parse_retry_after(text, now);
    ASSERT_TRUE(pause) << text;
    EXPECT_GT(*pause, century) << text;
  }
  for (const char* text : {"Sat, 01 Jan 0000 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
                           "Sun, 29 Nov 2026 14:37:59 GMT", "Sunday, 29-Nov-77 14:40:00 GMT"}) {
    EXPECT_EQ(parse_retry_after(text, now), seconds{0}) << text;
  }
}

TEST(RetryAfter, IsNothingElse) {
  for (const char* text : {"", "soon", "-1", "+1", "1.5", "12 ", "1e3", "0x10", "120 s"}) {
    EXPECT_FALSE(parse_retry_after(text, now)) << text;
  }
}

}  // namespace
}  // namespace ringpost::http
