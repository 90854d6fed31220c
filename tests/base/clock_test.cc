#include "base/clock.h"

#include <gtest/gtest.h>

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

TEST(Time, RefusesEverythingElse) {
  for (const char* text : {"", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z",
                           "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:00:00.Z",
                           "1970-01-01T00:00:00.1234567890Z", "1970-01-01T00:00:00Zx",
                           "+970-01-01T00:00:00Z", "9999-01-01T00:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

}  // namespace
}  // namespace ringpost
