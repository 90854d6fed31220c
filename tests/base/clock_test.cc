#include "base/clock.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace ringpost {
namespace {

TEST(Time, WritesRfc3339WithMicroseconds) {
  EXPECT_EQ(to_rfc3339(from_unix_ns(0)), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(from_unix_ns(1'935'738'487'123'456'789)), "2031-05-05T09:08:07.123456Z");
  EXPECT_EQ(to_rfc3339(from_unix_ns(-1)), "1969-12-31T23:59:59.999999Z");
}

TEST(Time, ReadsWhatItWrites) {
  for (int64_t ns :
       {int64_t{0}, int64_t{1'935'738'487'123'456'000}, int64_t{951'782'400'000'000'000}}) {
    EXPECT_EQ(parse_rfc3339(to_rfc3339(from_unix_ns(ns))), from_unix_ns(ns));
  }
}

TEST(Time, ReadsOffsetsAndFractions) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T01:30:00+01:30"), from_unix_ns(0));
  EXPECT_EQ(parse_rfc3339("1969-12-31T23:00:00-01:00"), from_unix_ns(0));
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.5Z"), from_unix_ns(500'000'000));
  EXPECT_EQ(parse_rfc3339("1970-01-01t00:00:00.123456789z"), from_unix_ns(123'456'789));
}

TEST(Time, ReadsAnyNumberOfFractionDigits) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.1234567890Z"), from_unix_ns(123'456'789));
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00." + std::string(40, '9') + "Z"),
            from_unix_ns(999'999'999));
}

TEST(Time, ReadsEveryYearOfFourDigits) {
  for (const char* text : {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59",
                           "1677-01-01T00:00:00Z", "1677-09-21T00:12:43Z"}) {
    EXPECT_EQ(parse_rfc3339(text), WallTime::min()) << text;
  }
  for (const char* text : {"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-23:59",
                           "2262-04-11T23:47:16Z", "2263-01-01T00:00:00Z"}) {
    EXPECT_EQ(parse_rfc3339(text), WallTime::max()) << text;
  }
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("1678-01-01T00:00:00Z")), "1678-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("2261-12-31T23:59:59Z")), "2261-12-31T23:59:59.000000Z");
}

TEST(Time, ReadsALeapSecondAtTheEndOfAMonth) {
  const auto next = parse_rfc3339("2017-01-01T00:00:00Z");
  ASSERT_TRUE(next);
  for (const char* text : {"2016-12-31T23:59:60Z", "2016-12-31T15:59:60-08:00",
                           "2017-01-01T00:59:60+01:00", "2016-12-31t23:59:60z"}) {
    EXPECT_EQ(parse_rfc3339(text), next) << text;
  }
  EXPECT_TRUE(parse_rfc3339("2015-06-30T23:59:60.5Z"));
}

TEST(Time, SpellsATimestampForStrictReaders) {
  for (const auto& [text, strict] :
       {std::pair{"2020-06-17 12:52:43Z", "2020-06-17T12:52:43Z"},
        std::pair{"2020-06-17t12:52:43.5z", "2020-06-17T12:52:43.5Z"},
        std::pair{"2020-06-17T12:52:43+01:00", "2020-06-17T12:52:43+01:00"},
        std::pair{"2020-06-17T12:52:43.123456789-12:00", "2020-06-17T12:52:43.123456789-12:00"},
        std::pair{"2020-06-17T12:52:43.1234567899Z", "2020-06-17T12:52:43.123456789Z"},
        std::pair{"2020-06-17 12:52:43.00000000000000000001+01:00",
                  "2020-06-17T12:52:43.000000000+01:00"},
        std::pair{"2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"},
        std::pair{"2016-12-31T23:59:60.25z", "2016-12-31T23:59:59.25Z"},
        std::pair{"2017-01-01T00:59:60+01:00", "2017-01-01T00:59:59+01:00"},
        std::pair{"2020-06-17T12:52:43+14:00", "2020-06-17T12:52:43+14:00"},
        std::pair{"2020-06-17T12:52:43.5+14:01", "2020-06-16T22:51:43.5Z"},
        std::pair{"2020-02-29T12:52:43-23:59", "2020-03-01T12:51:43Z"},
        std::pair{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
        std::pair{"9999-12-31T23:59:59.5+00:01", "9999-12-31T23:59:59.5+00:01"},
        std::pair{"9999-12-31T23:59:00.5-00:01", "9999-12-31T23:59:59Z"},
        std::pair{"9999-12-31T23:59:00-23:00", "9999-12-31T23:59:59Z"},
        std::pair{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
        std::pair{"0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00Z"},
        std::pair{"0001-01-01T00:00:00-01:00", "0001-01-01T00:00:00-01:00"}}) {
    ASSERT_TRUE(parse_rfc3339(text)) << text;
    std::string made = text;
    make_strict_rfc3339(made);
    EXPECT_EQ(made, strict);
    EXPECT_EQ(is_strict_rfc3339(text), made == text);
    EXPECT_TRUE(is_strict_rfc3339(made));
  }
}

TEST(Time, RefusesEverythingElse) {
  for (const char* text :
       {"", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z",
        "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00Zx", "+970-01-01T00:00:00Z", "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z", "1970-01-01_00:00:00Z", "1970-1-1T00:00:00Z", "1970-01-01T00:00Z",
        "1970-01-01T00:00:00+0100", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+01:60",
        "1970-01-01T00:00:00,5Z", "1970-01-01T00:00:00 +01:00", "1970-01-01  00:00:00Z",
        "1970-01-01T00:00:61Z",
        // No month ends here, by UTC.
        "2016-12-31T23:58:60Z", "2016-12-30T23:59:60Z", "2016-12-31T23:59:60+01:00"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

}  // namespace
}  // namespace ringpost
