#include "replica/ownership.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringpost::replica {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = Ownership::State;

constexpr Writer self{1, 7};
constexpr Writer other{2, 9};

/// One node at one partition. What it writes is read back only where a test says so.
class OwnershipTest : public ::testing::Test {
 protected:
  template <typename Record>
  std::optional<Record> written() {
    std::optional<Record> found;
    while (const auto action = node.next(now, work)) {
      if (const auto* record = std::get_if<Record>(&*action)) found = *record;
    }
    return found;
  }
  BlockName next_block() {
    ++offset;
    return {epoch, offset};
  }
  /// @returns its name.
  ClaimName read_claim(const Claim& claim) {
    const ClaimName name = next_block();
    node.on_claim(name, claim, now);
    node.on_block(name);
    return name;
  }
  void read(const Renew& renew) {
    const BlockName at = next_block();
    node.on_renew(at, renew, now);
    node.on_block(at);
  }
  void read(const Release& release) { node.on_release(next_block(), release); }
  ClaimName claim() {
    const auto record = written<Claim>();
    EXPECT_TRUE(record);
    return read_claim(record.value_or(Claim{}));
  }
  void renew() {
    const auto record = written<Renew>();
    EXPECT_TRUE(record);
    if (record) read(*record);
  }
  /// Assigned, claimed, waited, fenced, renewed.
  ClaimName own() {
    node.on_assigned();
    const ClaimName name = claim();
    now += timing.wait;
    EXPECT_TRUE(written<Fence>());
    now += seconds(1);
    renew();
    node.on_fence(name);
    EXPECT_TRUE(node.may_attempt(now));
    return name;
  }
  void stand_at_the_end(Duration time) {
    for (const Instant until = now + time; now < until; now += milliseconds(100)) {
      node.on_end_of_log(now);
    }
    node.on_end_of_log(now);
  }

  OwnershipTiming timing;
  Ownership node{self};
  Ownership::Work work;
  Instant now = Instant{} + seconds(1000);
  uint32_t epoch = 3;
  uint64_t offset = 100;
};

TEST_F(OwnershipTest, DoesNothingUnassigned) {
  EXPECT_FALSE(node.next(now, work));
  EXPECT_EQ(node.state(now), State::none);
}

// Rules 1, 3 and 8.
TEST_F(OwnershipTest, WaitsFromReadingItsClaimBack) {
  node.on_assigned();
  const ClaimName name = claim();
  EXPECT_EQ(node.held(), name);
  renew();
  now += timing.wait - Duration{1};
  EXPECT_FALSE(written<Fence>());
  EXPECT_EQ(node.state(now), State::waiting);
  now += Duration{1};
  const auto fence = written<Fence>();
  ASSERT_TRUE(fence);
  EXPECT_EQ(fence->claim, name);
  now += seconds(1);
  renew();
  EXPECT_EQ(node.state(now), State::fencing);
  node.on_fence(name);
  EXPECT_EQ(node.state(now), State::owning);
}

TEST_F(OwnershipTest, BeginsAtOnceBehindARelease) {
  const ClaimName old = read_claim({other, 1});
  read(Release{old});
  node.on_assigned();
  claim();
  EXPECT_TRUE(written<Fence>());
}

TEST_F(OwnershipTest, WaitsBehindAReleaseOfAnotherClaim) {
  const ClaimName old = read_claim({other, 1});
  read_claim({other, 2});
  read(Release{old});
  node.on_assigned();
  claim();
  EXPECT_FALSE(written<Fence>());
}

TEST_F(OwnershipTest, WaitsBehindAReleaseOfAnotherEpoch) {
  const ClaimName last = read_claim({other, 1});
  read(Release{last});
  ++epoch;
  node.on_assigned();
  claim();
  EXPECT_FALSE(written<Fence>());
}

// Goal: a RELEASE serves one claim only.
TEST_F(OwnershipTest, WaitsIfAnotherClaimUsedTheRelease) {
  const ClaimName old = read_claim({other, 1});
  read(Release{old});
  read_claim({other, 2});
  node.on_assigned();
  claim();
  EXPECT_FALSE(written<Fence>());
}

// Rule 2.
TEST_F(OwnershipTest, LeaseRunsFromSendingAndOnlyOnceReadBack) {
  own();
  now += seconds(1);
  const auto sent = written<Renew>();
  ASSERT_TRUE(sent);
  const Instant sent_at = now;
  now += seconds(2);
  read(*sent);
  now = sent_at + timing.lease - Duration{1};
  EXPECT_TRUE(node.may_attempt(now));
  now += Duration{1};
  EXPECT_EQ(node.state(now), State::expired);
}

TEST_F(OwnershipTest, IgnoresARenewFromTheFuture) {
  const ClaimName name = own();
  now += timing.lease;
  read(Renew{.claim = name, .sent_at = now + seconds(1000)});
  EXPECT_FALSE(node.may_attempt(now));
}

// Rule 7.
TEST_F(OwnershipTest, ExpiredLeaseRevives) {
  own();
  now += seconds(9);
  EXPECT_EQ(node.state(now), State::expired);
  const auto late = written<Renew>();
  ASSERT_TRUE(late);
  now += timing.lease - Duration{1};
  read(*late);
  EXPECT_EQ(node.state(now), State::owning);
}

// Rule 6.
TEST_F(OwnershipTest, AnyOtherClaimEndsIt) {
  own();
  read_claim({other, 1});
  EXPECT_EQ(node.state(now), State::none);
  const auto again = written<Claim>();
  ASSERT_TRUE(again);
  const ClaimName name = read_claim(*again);
  EXPECT_EQ(node.held(), name);
  read_claim({self, again->attempt - 1});  // Its own, of before.
  EXPECT_FALSE(node.held());
}

TEST_F(OwnershipTest, RenewBehindAnotherClaimDoesNotCount) {
  own();
  now += seconds(1);
  const auto sent = written<Renew>();
  ASSERT_TRUE(sent);
  read_claim({other, 1});
  read(*sent);
  EXPECT_EQ(node.state(now), State::none);
}

// Rule 5.
TEST_F(OwnershipTest, ReleasesOnlyWithItsOwnWaitOver) {
  node.on_assigned();
  claim();
  node.on_revoked();
  EXPECT_FALSE(written<Release>());
  EXPECT_FALSE(node.held());
}

TEST_F(OwnershipTest, ReleasesOnceItsWorkHasEnded) {
  const ClaimName name = own();
  node.on_revoked();
  EXPECT_FALSE(node.may_attempt(now));
  work.idle = false;
  EXPECT_FALSE(written<Release>());
  work.idle = true;
  const auto release = written<Release>();
  ASSERT_TRUE(release);
  EXPECT_EQ(release->claim, name);
  EXPECT_FALSE(node.held());
}

TEST_F(OwnershipTest, KeepsWhatItGetsBackBeforeTheRelease) {
  own();
  node.on_revoked();
  work.idle = false;
  EXPECT_FALSE(written<Release>());
  node.on_assigned();
  EXPECT_TRUE(node.may_attempt(now));
}

TEST_F(OwnershipTest, ClaimThatIsNotWantedAnyMoreIsNobodys) {
  node.on_assigned();
  const auto open = written<Claim>();
  ASSERT_TRUE(open);
  node.on_revoked();
  read_claim(*open);
  EXPECT_FALSE(node.held());
}

TEST_F(OwnershipTest, ClaimsAgainWhenAClaimDoesNotComeBack) {
  node.on_assigned();
  const auto first = written<Claim>();
  now += timing.write_again - Duration{1};
  EXPECT_FALSE(written<Claim>());
  now += Duration{1};
  const auto second = written<Claim>();
  ASSERT_TRUE(first && second);
  EXPECT_GT(second->attempt, first->attempt);
  read_claim(*first);
  EXPECT_FALSE(node.held());
  read_claim(*second);
  EXPECT_TRUE(node.held());
}

// --- lost ---

TEST_F(OwnershipTest, LostEndsNothing) {
  own();
  node.on_lost();
  EXPECT_TRUE(node.may_attempt(now));
  now += seconds(1);
  renew();
  node.on_assigned_elsewhere(now);
  EXPECT_TRUE(node.may_attempt(now));
}

TEST_F(OwnershipTest, LeavesWhatStaysWithoutAssignment) {
  own();
  node.on_lost();
  node.on_assigned_elsewhere(now);
  now += timing.leave_after - Duration{1};
  EXPECT_FALSE(written<Release>());
  now += Duration{1};
  work.may_leave = false;
  EXPECT_FALSE(written<Release>());
  work.may_leave = true;
  EXPECT_TRUE(written<Release>());
}

TEST_F(OwnershipTest, LooksBeforeItClaimsAfterLost) {
  node.on_lost();
  node.on_assigned();
  EXPECT_FALSE(written<Claim>());
  stand_at_the_end(timing.look - milliseconds(200));
  EXPECT_FALSE(written<Claim>());
  const ClaimName owner = read_claim({other, 1});
  read(Renew{.claim = owner, .sent_at = now});
  stand_at_the_end(timing.look - milliseconds(100));
  EXPECT_FALSE(written<Claim>());
  stand_at_the_end(milliseconds(200));
  EXPECT_TRUE(written<Claim>());
}

// Goal: an engine that says nothing is not the end of the log.
TEST_F(OwnershipTest, SilenceIsNotTheEndOfTheLog) {
  node.on_lost();
  node.on_assigned();
  node.on_end_of_log(now);
  now += seconds(10);
  EXPECT_FALSE(written<Claim>());
  node.on_end_of_log(now);
  EXPECT_FALSE(written<Claim>());
  stand_at_the_end(timing.look);
  EXPECT_TRUE(written<Claim>());
}

TEST_F(OwnershipTest, ClaimsAfterLostOnceItReadsARelease) {
  const ClaimName owner = read_claim({other, 1});
  node.on_lost();
  node.on_assigned();
  EXPECT_FALSE(written<Claim>());
  read(Release{owner});
  EXPECT_TRUE(written<Claim>());
}

// --- rollbacks ---

TEST_F(OwnershipTest, RollbackEndsEverything) {
  own();
  node.on_rollback(now, 0, 50);
  EXPECT_FALSE(node.held());
  EXPECT_FALSE(written<Claim>());
  now += timing.claim_every;
  const auto again = written<Claim>();
  ASSERT_TRUE(again);
  read_claim({self, again->attempt - 1});  // Read again: not taken up.
  EXPECT_FALSE(node.held());
  EXPECT_EQ(read_claim(*again), node.held());
}

TEST_F(OwnershipTest, ReadsAgainFromTheFirmMarkIfThatStands) {
  own();
  work.low_water_mark = 90;
  now += seconds(1);
  renew();
  now += seconds(1);
  renew();
  EXPECT_EQ(node.firm_mark().offset, 90u);
  EXPECT_EQ(node.on_rollback(now, 10, 95), 90u);
  EXPECT_EQ(node.on_rollback(now, 10, 80), 10u);
  EXPECT_EQ(node.firm_mark().offset, 0u);
}

// Goal: a mark counts only if nothing can have been lost between sending and landing.
TEST_F(OwnershipTest, MarkIsFirmInTheEpochInWhichItWasSent) {
  own();
  work.low_water_mark = 90;
  now += seconds(1);
  const auto sent = written<Renew>();
  ASSERT_TRUE(sent);
  ++epoch;
  read(*sent);
  EXPECT_EQ(node.firm_mark().offset, 0u);
  EXPECT_TRUE(node.may_attempt(now));  // The lease does not ask for it.
  now += seconds(1);
  renew();
  EXPECT_EQ(node.firm_mark().offset, 90u);
}

TEST_F(OwnershipTest, HigherFenceEndsIt) {
  const ClaimName name = own();
  node.on_fence({name.epoch, name.offset - 1});
  EXPECT_TRUE(node.may_attempt(now));
  node.on_fence({name.epoch, name.offset + 1});
  EXPECT_FALSE(node.held());
}

TEST_F(OwnershipTest, KnowsTheOwnerWhereReadingBeginsInTheMiddle) {
  const ClaimName owner{epoch, 50};
  node.begin_at(owner);
  read(Release{owner});
  node.on_assigned();
  claim();
  EXPECT_TRUE(written<Fence>());
}

// Goal: an engine that is away gets a bounded number of RENEWs.
TEST_F(OwnershipTest, SendsFewRenewsIntoSilence) {
  own();
  int sent = 0;
  for (int second = 0; second < 100; ++second, now += seconds(1)) sent += written<Renew>() ? 1 : 0;
  EXPECT_LE(sent, 26);
  EXPECT_GE(sent, 20);
}

}  // namespace
}  // namespace ringpost::replica
