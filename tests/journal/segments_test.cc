#include "journal/segments.h"

#include "harness.h"
#include "journal/journal_mark.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace ringpost::journal {
namespace {

using test::data_directory;
using test::directory_id;
using test::FakeDisk;
using test::Journal;
using test::recover_all;
using test::segment;
using test::Told;

constexpr uint32_t segment_bytes = 3 * 1024 * 1024 + 4096;

SegmentKeeper::Options options() {
  return {.journal_directory = data_directory,
          .directory_id = directory_id,
          .segment_bytes = segment_bytes};
}

/// Steps until something other than `working` comes.
SegmentKeeper::Progress run(SegmentKeeper& keeper) {
  auto progress = SegmentKeeper::Progress::working;
  while (progress == SegmentKeeper::Progress::working) progress = keeper.step(from_unix_ns(77));
  return progress;
}

TEST(SegmentKeeper, PreparesInSmallSteps) {
  FakeDisk disk;
  SegmentKeeper keeper(disk, options());
  ASSERT_TRUE(keeper.open({.journal = 4}));
  EXPECT_FALSE(keeper.direct());
  EXPECT_EQ(keeper.step({}), SegmentKeeper::Progress::idle);
  keeper.want(4);
  uint64_t written = 0;
  auto progress = SegmentKeeper::Progress::working;
  int steps = 0;
  for (; progress == SegmentKeeper::Progress::working; ++steps) {
    EXPECT_FALSE(keeper.take());
    progress = keeper.step(from_unix_ns(77));
    const std::string unfinished = data_directory + "/004/00000001.new";
    const uint64_t now = disk.exists(unfinished) ? disk.contents(unfinished).size() : written;
    EXPECT_LE(now - written, 1024u * 1024);
    written = now;
  }
  EXPECT_EQ(progress, SegmentKeeper::Progress::ready);
  EXPECT_GE(steps, 5);
  const auto ready = keeper.take();
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->journal, 4);
  EXPECT_EQ(ready->segment.number, 1u);
  EXPECT_EQ(ready->segment.size, segment_bytes);
  EXPECT_EQ(keeper.direct(), true);
  const auto header = read_segment_header(disk.contents(segment(1, 4)));
  ASSERT_TRUE(header);
  const SegmentHeader expected{.journal = 4,
                               .segment = 1,
                               .size = segment_bytes,
                               .directory_id = directory_id,
                               .created_at = from_unix_ns(77)};
  EXPECT_EQ(*header, expected);
  EXPECT_EQ(disk.contents(segment(1, 4)).size(), segment_bytes);
  EXPECT_FALSE(keeper.take());
  EXPECT_FALSE(keeper.busy());
}

// Goal: what is handed out is durable: the file's bytes, then its name, then that it must be there.
TEST(SegmentKeeper, SyncsFileThenNameThenHandsOut) {
  FakeDisk disk;
  std::vector<std::string> calls;
  SegmentKeeper keeper(disk, options());
  ASSERT_TRUE(keeper.open({}));
  disk.fault = [&](const std::string& call, const std::string&) {
    if (calls.empty() || calls.back() != call) calls.push_back(call);
    return 0;
  };
  keeper.want(0);
  ASSERT_EQ(run(keeper), SegmentKeeper::Progress::ready);
  const std::vector<std::string> end{"write_at",       "sync",         "rename",  // The segment.
                                     "sync_directory", "open_journal", "remove", "open",
                                     "write_at",       "sync",         "rename",  // The mark.
                                     "sync_directory"};
  ASSERT_GE(calls.size(), end.size());
  EXPECT_EQ(std::vector<std::string>(calls.end() - static_cast<ptrdiff_t>(end.size()), calls.end()),
            end);
}

TEST(SegmentKeeper, SaysWhenThereIsNoDirectAccess) {
  FakeDisk disk;
  disk.direct = false;
  SegmentKeeper keeper(disk, options());
  ASSERT_TRUE(keeper.open({}));
  keeper.want(0);
  run(keeper);
  EXPECT_EQ(keeper.direct(), false);
}

TEST(SegmentKeeper, FullDiskLeavesNothingBehindAndRecovers) {
  FakeDisk disk;
  SegmentKeeper keeper(disk, options());
  ASSERT_TRUE(keeper.open({}));
  disk.capacity = segment_bytes;
  keeper.want(0);
  EXPECT_EQ(run(keeper), SegmentKeeper::Progress::no_space);
  EXPECT_EQ(disk.calls["write_at"], 1u);  // The mark: it did not even begin.
  disk.capacity = uint64_t{1} << 30;
  disk.fault = [](const std::string& call, const std::string& path) {
    return call == "write_at" && path.ends_with(".new") ? ENOSPC : 0;
  };
  EXPECT_EQ(run(keeper), SegmentKeeper::Progress::no_space);
  EXPECT_FALSE(disk.exists(data_directory + "/000/00000001.new"));
  EXPECT_TRUE(keeper.busy());
  disk.fault = nullptr;
  EXPECT_EQ(run(keeper), SegmentKeeper::Progress::ready);
}

// Goal: any call may fail, at any time; the next try succeeds and the journal is sound.
// Method: fail the n-th call of one preparation, for every n.
TEST(SegmentKeeper, AnyCallMayFail) {
  for (int failing = 0;; ++failing) {
    FakeDisk disk;
    SegmentKeeper keeper(disk, options());
    ASSERT_TRUE(keeper.open({}));
    int call_count = 0;
    bool failed = false;
    disk.fault = [&](const std::string&, const std::string&) {
      const bool now = call_count++ == failing;
      failed = failed || now;
      return now ? EIO : 0;
    };
    keeper.want(0);
    const auto progress = run(keeper);
    if (!failed) {
      EXPECT_GT(failing, 8);
      break;
    }
    disk.fault = nullptr;
    if (progress == SegmentKeeper::Progress::failed) {
      EXPECT_EQ(keeper.error().code, Errc::io_failed);
      EXPECT_FALSE(keeper.path().empty());
    }
    if (keeper.busy()) {
      EXPECT_EQ(run(keeper), SegmentKeeper::Progress::ready);
    }
    const auto ready = keeper.take();
    ASSERT_TRUE(ready) << failing;
    EXPECT_EQ(ready->segment.number, 1u);
    Told told;
    EXPECT_TRUE(recover_all(disk, told)) << failing;
  }
}

TEST(SegmentKeeper, OpensAgainWhatItLeft) {
  FakeDisk disk;
  {
    SegmentKeeper keeper(disk, options());
    ASSERT_TRUE(keeper.open({}));
    keeper.want(0);
    for (int step = 0; step < 3; ++step) keeper.step({});
    EXPECT_TRUE(disk.exists(data_directory + "/000/00000001.new"));
  }
  EXPECT_EQ(disk.open_count(), 0u);
  Told told;
  const auto report = recover_all(disk, told);
  ASSERT_TRUE(report);
  SegmentKeeper keeper(disk, options());
  ASSERT_TRUE(keeper.open(report->journals.at(0)));
  keeper.want(0);
  EXPECT_EQ(run(keeper), SegmentKeeper::Progress::ready);
  EXPECT_FALSE(disk.exists(data_directory + "/000/00000001.new"));
}

TEST(SegmentKeeper, ReusesExpiredFilesAndRemovesTheRest) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 64 * 1024});
  while (journal.sealed.size() < 6) journal.add("filler", 9000);
  const uint64_t filled = disk.calls["write_at"];
  ASSERT_TRUE(journal.keeper.expire(0, 6));
  EXPECT_EQ(journal.keeper.segments(0).front().number, 6u);
  // Two are kept for reuse, three are gone.
  int files = 0;
  for (uint32_t number = 1; number < 6; ++number) files += disk.exists(segment(number)) ? 1 : 0;
  EXPECT_EQ(files, 2);
  journal.prepare();
  EXPECT_EQ(disk.calls["write_at"], filled + 3);  // Two marks and the header; nothing was filled.
}

// Goal: an old record never comes back in a recycled file. Method: fill segments, recycle all of
// them, write one record into each, and read with every way there is.
TEST(SegmentKeeper, RecycledSegmentShowsNothingOld) {
  FakeDisk disk;
  std::vector<std::string> kept;
  {
    Journal journal(disk, {.segment_bytes = 64 * 1024});
    while (journal.sealed.size() < 4) journal.add("old", 9000);
    const uint32_t current = journal.sealed.back() + 1;
    ASSERT_TRUE(journal.keeper.expire(0, current));
    while (journal.sealed.back() < current + 3) {
      kept.push_back("new " + std::to_string(kept.size()));
      journal.add(kept.back(), 9000);
      if (kept.size() % 5 == 0) {
        ASSERT_TRUE(journal.keeper.expire(0, current));
      }
    }
    ASSERT_TRUE(journal.keeper.expire(0, current));
  }
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  EXPECT_TRUE(told.findings.empty());
  std::vector<std::string> ids;
  for (const auto& id : told.ids()) {
    if (id != "old") ids.push_back(id);
  }
  EXPECT_EQ(ids, kept);
  EXPECT_LE(told.ids().size() - ids.size(), 4u);  // The beginning of the first kept segment.
}

TEST(SegmentKeeper, NeverExpiresAnOpenSegment) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 64 * 1024});
  journal.add("one");
  ASSERT_TRUE(journal.keeper.expire(0, 1000));
  EXPECT_EQ(journal.keeper.segments(0).front().number, 1u);
  EXPECT_TRUE(disk.exists(segment(1)));
}

TEST(SegmentKeeper, LeavesForeignFilesAlone) {
  FakeDisk disk;
  ASSERT_TRUE(disk.make_directory(data_directory + "/000"));
  disk.put(data_directory + "/000/notes.txt", std::vector<std::byte>(5));
  Journal journal(disk, {.segment_bytes = 64 * 1024});
  while (journal.sealed.size() < 3) journal.add("filler", 9000);
  ASSERT_TRUE(journal.keeper.expire(0, 3));
  EXPECT_TRUE(disk.exists(data_directory + "/000/notes.txt"));
}

TEST(JournalMark, ComesBackOrIsNotBelieved) {
  FakeDisk disk;
  const JournalMark mark{.oldest = 12, .newest = 21, .accepted = {13, 20}};
  ASSERT_TRUE(write_journal_mark(disk, "/d", 3, mark));
  EXPECT_EQ(*read_journal_mark(disk, "/d", 3), mark);
  EXPECT_FALSE(*read_journal_mark(disk, "/d", 4));  // Another journal's.
  EXPECT_FALSE(*read_journal_mark(disk, "/elsewhere", 3));
  auto& bytes = disk.contents("/d/oldest");
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte(1 << bit % 8);
    EXPECT_FALSE(*read_journal_mark(disk, "/d", 3)) << bit;
    bytes[bit / 8] ^= std::byte(1 << bit % 8);
  }
  bytes.clear();
  EXPECT_FALSE(*read_journal_mark(disk, "/d", 3));
}

TEST(JournalMark, OfAReleaseThatDidNotNameTheNewestIsRead) {
  FakeDisk disk;
  for (const JournalMark& mark : {JournalMark{.oldest = 12, .accepted = {13}},
                                  JournalMark{.oldest = 1, .newest = 0, .accepted = {}}}) {
    ASSERT_TRUE(write_journal_mark(disk, "/d", 3, mark));
    EXPECT_EQ(*read_journal_mark(disk, "/d", 3), mark);
  }
}

}  // namespace
}  // namespace ringpost::journal
