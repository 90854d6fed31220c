#include "ingest/body_budget.h"

#include "tests/ingest/memory_ring.h"

#include <gtest/gtest.h>

// Goal: the bound holds, and pages go back once after a large use, with a ring that sleeps before
// and after. Method: a clock that the test turns, and a count in the place of the allocator.

namespace ringpost::ingest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Share = BodyBudget::Share;

int given_back = 0;

class BodyBudgetTest : public testing::Test {
 protected:
  BodyBudgetTest() { given_back = 0; }

  test::MemoryRing ring_;
  BodyBudget budget_{
      ring_,
      {.bytes_max = 1000, .large_use = 600, .small_use = 50, .quiet = seconds{1}, .give_back = [] {
         ++given_back;
       }}};
};

TEST_F(BodyBudgetTest, HoldsAllSharesTogetherBelowItsBound) {
  Share first{.vouched = true};
  Share second{.vouched = true};
  EXPECT_TRUE(budget_.grow(first, 600));
  EXPECT_TRUE(budget_.grow(first, 500));  // It is that already.
  EXPECT_EQ(budget_.used(), 600u);
  EXPECT_FALSE(budget_.grow(second, 401));
  EXPECT_FALSE(budget_.fits(second, UINT64_MAX));
  EXPECT_EQ(second.bytes, 0u);
  EXPECT_TRUE(budget_.grow(second, 400));
  EXPECT_FALSE(budget_.grow(first, 601));
  budget_.drop(first);
  EXPECT_EQ(budget_.used(), 400u);
  EXPECT_TRUE(budget_.fits(first, 1));
}

TEST_F(BodyBudgetTest, KeepsThreeQuartersForThoseWhoAreVouchedFor) {
  Share stranger;
  Share other;
  EXPECT_FALSE(budget_.fits(stranger, 251));
  EXPECT_TRUE(budget_.grow(stranger, 200));
  EXPECT_FALSE(budget_.grow(other, 51));
  EXPECT_TRUE(budget_.grow(other, 50));
  Share known{.vouched = true};
  EXPECT_TRUE(budget_.grow(known, 750));
  budget_.drop(stranger);
  budget_.drop(other);
  EXPECT_TRUE(budget_.fits(stranger, 250));
}

TEST_F(BodyBudgetTest, GivesMemoryBackOnceAfterALargeUseIsOver) {
  Share large{.vouched = true};
  Share small{.vouched = true};
  EXPECT_TRUE(budget_.grow(large, 600));
  EXPECT_TRUE(budget_.grow(small, 49));
  ring_.pass(seconds{10});
  EXPECT_EQ(given_back, 0);  // In use.
  budget_.drop(large);
  ring_.pass(milliseconds{900});
  EXPECT_EQ(given_back, 0);
  ring_.pass(milliseconds{200});
  EXPECT_EQ(given_back, 1);
  budget_.drop(small);
  ring_.pass(seconds{10});
  EXPECT_EQ(given_back, 1);
}

TEST_F(BodyBudgetTest, DoesNothingAfterSmallUses) {
  for (int round = 0; round < 100; ++round) {
    Share share{.vouched = true};
    EXPECT_TRUE(budget_.grow(share, 599));
    budget_.drop(share);
  }
  ring_.pass(seconds{10});
  EXPECT_EQ(given_back, 0);
}

TEST_F(BodyBudgetTest, WaitsWhileLargeUsesFollowEachOther) {
  for (int round = 0; round < 20; ++round) {
    Share share{.vouched = true};
    EXPECT_TRUE(budget_.grow(share, 700));
    ring_.pass(milliseconds{300});
    budget_.drop(share);
    ring_.pass(milliseconds{300});
  }
  EXPECT_EQ(given_back, 0);
  ring_.pass(seconds{3});
  EXPECT_EQ(given_back, 1);
}

TEST_F(BodyBudgetTest, WaitsForTheRestOfWhatWasLarge) {
  Share large{.vouched = true};
  Share medium{.vouched = true};
  EXPECT_TRUE(budget_.grow(large, 700));
  EXPECT_TRUE(budget_.grow(medium, 50));
  budget_.drop(large);
  ring_.pass(seconds{10});
  EXPECT_EQ(given_back, 0);
  budget_.drop(medium);
  ring_.pass(seconds{2});
  EXPECT_EQ(given_back, 1);
}

}  // namespace
}  // namespace ringpost::ingest
