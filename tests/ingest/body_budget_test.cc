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
  Share first{.organization = 1};
  Share second{.organization = 2};
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
  Share known{.organization = 1};
  EXPECT_TRUE(budget_.grow(known, 750));
  budget_.drop(stranger);
  budget_.drop(other);
  EXPECT_TRUE(budget_.fits(stranger, 250));
}

TEST_F(BodyBudgetTest, LeavesRoomForTheNextOrganization) {
  Share stalled[8];
  uint64_t taken = 0;
  for (Share& share : stalled) {
    share.organization = 1;
    taken += budget_.grow(share, 150) ? 150 : 0;
  }
  EXPECT_EQ(taken, 750u);  // Four times what is left, at most.
  Share other{.organization = 2};
  EXPECT_TRUE(budget_.grow(other, 200));
  budget_.drop(other);
  for (Share& share : stalled) budget_.drop(share);
  EXPECT_EQ(budget_.used(), 0u);
}

TEST_F(BodyBudgetTest, GivesAnOrganizationsOnlyBodyAllThereIs) {
  Share only{.organization = 1};
  EXPECT_TRUE(budget_.grow(only, 500));
  EXPECT_TRUE(budget_.grow(only, 1000));
  EXPECT_FALSE(budget_.grow(only, 1001));
  budget_.drop(only);
  Share next{.organization = 1};
  EXPECT_TRUE(budget_.grow(next, 1000));
}

TEST_F(BodyBudgetTest, GivesMemoryBackOnceAfterALargeUseIsOver) {
  Share large{.organization = 1};
  Share small{.organization = 1};
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
    Share share{.organization = 1};
    EXPECT_TRUE(budget_.grow(share, 599));
    budget_.drop(share);
  }
  ring_.pass(seconds{10});
  EXPECT_EQ(given_back, 0);
}

TEST_F(BodyBudgetTest, WaitsWhileLargeUsesFollowEachOther) {
  for (int round = 0; round < 20; ++round) {
    Share share{.organization = 1};
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
  Share large{.organization = 1};
  Share medium{.organization = 1};
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
