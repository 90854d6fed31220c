#include "base/duration.h"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

TEST(Duration, IsANumberWithItsUnit) {
  EXPECT_EQ(parse_duration("250ms"), std::chrono::milliseconds{250});
  EXPECT_EQ(parse_duration("90s"), std::chrono::seconds{90});
  EXPECT_EQ(parse_duration("15m"), std::chrono::minutes{15});
  EXPECT_EQ(parse_duration("12h"), std::chrono::hours{12});
  EXPECT_EQ(parse_duration("30d"), std::chrono::hours{720});
  EXPECT_EQ(parse_duration("0"), Duration{});
  EXPECT_EQ(parse_duration("0d"), Duration{});
  EXPECT_EQ(parse_duration("4294967295s"), std::chrono::seconds{4'294'967'295});
}

TEST(Duration, IsNothingElse) {
  for (const char* wrong : {"",
                            "90",
                            "00",
                            "s",
                            "ms",
                            "-1s",
                            "-0s",
                            "+1s",
                            "1.5h",
                            "1 h",
                            " 1h",
                            "1h ",
                            "1w",
                            "1S",
                            "1us",
                            "soon",
                            "4294967296s",
                            "49711d",
                            "9223372036854775807ms",
                            "99999999999999999999"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace ringpost
