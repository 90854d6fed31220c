#include "cli/time_range.h"

#include <gtest/gtest.h>

namespace ringpost::cli {
namespace {

const WallTime now = *parse_rfc3339("2031-05-04T09:00:00Z");

TEST(TimeRange, ReadsHowLongAgoADayAndATime) {
  EXPECT_EQ(time_from("90m", now), to_rfc3339(*parse_rfc3339("2031-05-04T07:30:00Z")));
  EXPECT_EQ(time_from("2d", now), to_rfc3339(*parse_rfc3339("2031-05-02T09:00:00Z")));
  EXPECT_EQ(time_from("2031-05-04", now), "2031-05-04T00:00:00Z");
  EXPECT_EQ(time_from("2031-05-04T09:00:00+02:00", now), "2031-05-04T09:00:00+02:00");
}

TEST(TimeRange, LeavesWhatItCannotReadToTheRelay) {
  for (const char* text : {"", "yesterday", "2031-13-01", "-1h", "1 h"}) {
    EXPECT_EQ(time_from(text, now), text);
  }
}

TEST(TimeRange, IsReadOnTheCommandLine) {
  CLI::App app{"", "program"};
  std::string since, until;
  add_time_range(app, since, until, "Accepted");
  app.parse("--since 2031-05-04 --until never", false);
  EXPECT_EQ(since, "2031-05-04T00:00:00Z");
  EXPECT_EQ(until, "never");
}

}  // namespace
}  // namespace ringpost::cli
