#include "base/forward_clock.h"

#include <gtest/gtest.h>

// Goal: ids grow, whatever people do to the clock.

namespace ringpost {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr WallTime wall = from_unix_ns(1'930'000'000'000'000'000);
constexpr Instant start{hours{1}};

TEST(ForwardClock, IsTheWallClockAsLongAsThatGoesForward) {
  ForwardClock clock;
  EXPECT_EQ(clock.read(wall, start), wall);
  EXPECT_EQ(clock.read(wall + seconds{5}, start + seconds{5}), wall + seconds{5});
  EXPECT_EQ(clock.read(wall + hours{9}, start + seconds{6}), wall + hours{9}) << "set forward";
}

TEST(ForwardClock, GoesOnWhereTheWallClockWasSetBack) {
  ForwardClock clock;
  clock.read(wall, start);
  EXPECT_EQ(clock.read(wall - hours{5}, start + seconds{1}), wall + seconds{1});
  EXPECT_EQ(clock.read(wall - hours{5} + seconds{9}, start + seconds{10}), wall + seconds{10});
  EXPECT_EQ(clock.read(wall + hours{1}, start + seconds{11}), wall + hours{1}) << "set right again";
}

TEST(ForwardClock, BeginsNoEarlierThanItIsTold) {
  ForwardClock clock(wall);
  EXPECT_EQ(clock.read(wall - hours{5}, start), wall + Ulid::resolution);
  EXPECT_EQ(clock.read(wall - hours{4}, start + seconds{1}), wall + Ulid::resolution + seconds{1});
}

/// All events of a batch come at one time.
TEST(ForwardClock, MakesIdsThatGrowWhileItStandsStill) {
  ForwardClock clock;
  Prng random{1};
  Ulid last;
  for (int count = 0; count < 100'000; ++count) {
    const Ulid id = Ulid::mint(clock.read(wall, start), random);
    ASSERT_GT(id, last) << count;
    last = id;
  }
  EXPECT_LT(clock.read(wall, start) - wall, std::chrono::milliseconds{25});
}

}  // namespace
}  // namespace ringpost
