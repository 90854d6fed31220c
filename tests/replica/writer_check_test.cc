#include "replica/writer_check.h"

#include <gtest/gtest.h>

namespace ringpost::replica {
namespace {

constexpr Instant start{};

WriterCheck with_blocks(uint64_t first, uint64_t last) {
  WriterCheck check;
  for (uint64_t offset = first; offset <= last; ++offset) {
    EXPECT_TRUE(check.on_acknowledged({offset, static_cast<uint32_t>(offset)}));
  }
  return check;
}

/// Reads all that is asked for, from a log that ends at `end`.
bool read_all(WriterCheck& check, uint64_t end, Instant now = start) {
  while (const auto offset = check.next(now)) {
    const std::optional<uint32_t> crc =
        *offset < end ? std::optional(static_cast<uint32_t>(*offset)) : std::nullopt;
    if (!check.on_read(*offset, crc)) return false;
  }
  return true;
}

TEST(WriterCheck, ReadsNothingWithoutACause) {
  WriterCheck check = with_blocks(1, 3);
  EXPECT_FALSE(check.next(start));
}

TEST(WriterCheck, ReadsAgainAtAConnectAtANewLeaderAndEachMinute) {
  WriterCheck check = with_blocks(1, 3);
  check.on_connected();
  EXPECT_EQ(check.next(start), 3u);
  EXPECT_FALSE(check.next(start));  // The answer is awaited.
  check.on_read_failed();
  EXPECT_TRUE(read_all(check, 4));
  EXPECT_FALSE(check.next(start));
  check.on_leader_changed();
  EXPECT_TRUE(read_all(check, 4));
  EXPECT_FALSE(check.next(start + WriterCheck::every - Duration{1}));
  EXPECT_TRUE(check.next(start + WriterCheck::every));
}

TEST(WriterCheck, NoticesALostEndAndOtherContents) {
  WriterCheck check = with_blocks(1, 3);
  check.on_leader_changed();
  EXPECT_FALSE(read_all(check, 3));
  check = with_blocks(1, 3);
  check.on_leader_changed();
  EXPECT_EQ(check.next(start), 3u);
  EXPECT_FALSE(check.on_read(3, 77));
}

// Goal: what the new leader acknowledges does not hide what it lost.
TEST(WriterCheck, KeepsOldBlocksUntilTheyAreRead) {
  WriterCheck check = with_blocks(1, 4);
  check.on_leader_changed();
  for (uint64_t offset = 10; offset < 30; ++offset) {
    ASSERT_TRUE(check.on_acknowledged({offset, static_cast<uint32_t>(offset)}));
  }
  WriterCheck intact = check;
  EXPECT_EQ(check.next(start), 4u);
  EXPECT_FALSE(check.on_read(4, 400));
  EXPECT_TRUE(read_all(intact, 30));
  EXPECT_EQ(intact.kept().size(), 1u);
}

TEST(WriterCheck, NoticesOffsetsThatFall) {
  WriterCheck check = with_blocks(5, 7);
  EXPECT_TRUE(check.on_acknowledged({7, 7}));  // Sent twice.
  EXPECT_FALSE(check.on_acknowledged({6, 60}));
  EXPECT_FALSE(check.on_acknowledged({2, 2}));
}

TEST(WriterCheck, OutlivesARestart) {
  const WriterCheck before = with_blocks(1, 9);
  WriterCheck check;
  check.restore(before.kept());
  EXPECT_TRUE(check.on_acknowledged({20, 20}));  // Hides nothing.
  EXPECT_FALSE(read_all(check, 9));
}

TEST(WriterCheck, ForgetsWhatWasTrimmed) {
  WriterCheck check = with_blocks(1, 4);
  check.on_leader_changed();
  check.on_trimmed(3);
  EXPECT_EQ(check.next(start), 4u);
  check.on_trimmed(100);
  check.on_connected();
  EXPECT_FALSE(check.next(start));
  check.forget();
  EXPECT_TRUE(check.on_acknowledged({1, 1}));
}

}  // namespace
}  // namespace ringpost::replica
