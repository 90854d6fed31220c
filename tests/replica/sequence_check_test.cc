#include "replica/sequence_check.h"

#include <gtest/gtest.h>

namespace ringpost::replica {
namespace {

using Verdict = SequenceCheck::Verdict;

/// The contents are told by their checksum.
BlockHeader block(uint64_t sequence, uint32_t crc = 1, Writer writer = {1, 1}) {
  return {.writer = writer, .sequence = sequence, .crc = crc};
}

TEST(SequenceCheck, TakesBlocksInTheirOrder) {
  SequenceCheck check(true);
  for (uint64_t sequence = 1; sequence < 100; ++sequence) {
    ASSERT_EQ(check.check(sequence, block(sequence)), Verdict::fresh);
  }
}

TEST(SequenceCheck, DropsRepetitions) {
  SequenceCheck check(true);
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) check.check(sequence, block(sequence));
  EXPECT_EQ(check.check(6, block(3)), Verdict::repeated);
  EXPECT_EQ(check.check(7, block(5)), Verdict::repeated);
  EXPECT_EQ(check.check(8, block(6)), Verdict::fresh);
}

TEST(SequenceCheck, NoticesOtherContents) {
  SequenceCheck check(true);
  check.check(0, block(1, 10));
  EXPECT_EQ(check.check(1, block(1, 11)), Verdict::altered);
}

TEST(SequenceCheck, NoticesHolesAndTakesWhatFillsThem) {
  SequenceCheck check(true);
  check.check(0, block(1));
  EXPECT_EQ(check.check(1, block(4)), Verdict::hole);
  EXPECT_EQ(check.check(2, block(2)), Verdict::fresh);
  EXPECT_EQ(check.check(3, block(3)), Verdict::fresh);
  EXPECT_EQ(check.check(4, block(3)), Verdict::repeated);
  EXPECT_EQ(check.check(5, block(5)), Verdict::fresh);
}

TEST(SequenceCheck, NoticesThatTheFirstBlocksAreMissing) {
  SequenceCheck check(true);
  EXPECT_EQ(check.check(0, block(2)), Verdict::hole);
}

// Goal: where reading begins in the middle, a late repetition in front raises no alarm.
TEST(SequenceCheck, BeginsInTheMiddle) {
  SequenceCheck check(false);
  EXPECT_EQ(check.check(50, block(3)), Verdict::fresh);
  EXPECT_EQ(check.check(51, block(9)), Verdict::fresh);
  EXPECT_EQ(check.check(52, block(10)), Verdict::fresh);
  EXPECT_EQ(check.check(53, block(12)), Verdict::hole);
}

TEST(SequenceCheck, KeepsRunsApart) {
  SequenceCheck check(true);
  EXPECT_EQ(check.check(0, block(1, 1, {1, 1})), Verdict::fresh);
  EXPECT_EQ(check.check(1, block(1, 2, {1, 2})), Verdict::fresh);
  EXPECT_EQ(check.check(2, block(1, 3, {2, 1})), Verdict::fresh);
  EXPECT_EQ(check.check(3, block(2, 4, {1, 1})), Verdict::fresh);
}

TEST(SequenceCheck, ReportsAHoleOnce) {
  SequenceCheck check(true);
  check.check(0, block(1));
  EXPECT_EQ(check.check(1, block(3)), Verdict::hole);
  check.begin_again(true, 2);
  EXPECT_EQ(check.check(0, block(1)), Verdict::fresh);
  EXPECT_EQ(check.check(1, block(3)), Verdict::fresh);
  EXPECT_EQ(check.check(2, block(5)), Verdict::hole);
}

// Goal: bounded memory; what was forgotten is taken for new, and raises no alarm.
TEST(SequenceCheck, ForgetsTheOldest) {
  SequenceCheck check(true);
  for (uint64_t sequence = 1; sequence <= 100; ++sequence) check.check(sequence, block(sequence));
  EXPECT_EQ(check.check(101, block(100 - SequenceCheck::window)), Verdict::fresh);
  EXPECT_EQ(check.check(102, block(101 - SequenceCheck::window)), Verdict::repeated);
  for (uint64_t run = 2; run < 2 + SequenceCheck::writers_max; ++run) {
    check.check(103, block(1, 1, {1, run}));
  }
  EXPECT_EQ(check.check(104, block(101)), Verdict::fresh);
}

}  // namespace
}  // namespace ringpost::replica
