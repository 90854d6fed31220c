#include "journal/recovery.h"

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

Journal::Setup small() {
  return {.segment_bytes = 64 * 1024};
}

JournalEnd end_of(const FakeDisk& disk, Told& told, uint16_t journal = 0) {
  FakeDisk copy;
  copy.copy_from(disk);
  const auto report = recover_all(copy, told);
  EXPECT_TRUE(report);
  for (const JournalEnd& end : report->journals) {
    if (end.journal == journal) return end;
  }
  ADD_FAILURE() << "no such journal";
  return {};
}

/// Writes `count` segments full of events and part of another; returns the events' ids.
std::vector<std::string> fill(FakeDisk& disk, size_t sealed, const JournalEnd& end = {}) {
  Journal journal(disk, small(), end);
  std::vector<std::string> ids;
  const auto add = [&] {
    ids.push_back("s" + std::to_string(end.next_segment) + "-" + std::to_string(ids.size()));
    journal.add(ids.back(), 5000);
  };
  while (journal.sealed.size() < sealed) add();
  for (int index = 0; index < 3; ++index) add();
  return ids;
}

TEST(Recovery, NoJournalIsAnEmptyReport) {
  FakeDisk disk;
  Told told;
  const auto report = recover_all(disk, told);
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->journals.empty());
}

TEST(Recovery, VisitsAllInOrderAndGoesOnInAFreshSegment) {
  FakeDisk disk;
  std::vector<std::string> all;
  for (int run = 0; run < 4; ++run) {
    JournalEnd end;
    if (run > 0) {
      Told told;
      end = end_of(disk, told);
      EXPECT_EQ(told.ids(), all);
      EXPECT_TRUE(told.findings.empty());
      EXPECT_EQ(end.previous_kind, PreviousEnd::clean);
      EXPECT_FALSE(end.unused.empty());
      EXPECT_GT(end.next_segment, end.previous);
    }
    for (const std::string& id : fill(disk, 2, end)) all.push_back(id);
  }
  Told told;
  end_of(disk, told);
  EXPECT_EQ(told.ids(), all);
}

TEST(Recovery, PreparedSegmentsAreReusedByTheNextRun) {
  FakeDisk disk;
  fill(disk, 1);
  Told told;
  const JournalEnd end = end_of(disk, told);
  const size_t files = disk.paths().size();
  for (int run = 0; run < 5; ++run) {
    Told again;
    Journal journal(disk, small(), end_of(disk, again));
    journal.add("run " + std::to_string(run));
  }
  EXPECT_LE(disk.paths().size(), files + 5);
}

TEST(Recovery, ReadsEveryJournalThatIsThere) {
  FakeDisk disk;
  for (uint16_t number : {uint16_t{0}, uint16_t{1}, uint16_t{200}}) {
    Journal::Setup setup = small();
    setup.writer.journal = number;
    Journal journal(disk, setup);
    const Position event = journal.add("of " + std::to_string(number));
    journal.add_outcome(event);
  }
  Told told;
  const auto report = recover_all(disk, told);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->journals.size(), 3u);
  EXPECT_EQ(told.ids(), (std::vector<std::string>{"of 0", "of 1", "of 200"}));
  ASSERT_EQ(told.outcomes.size(), 3u);
  EXPECT_EQ(told.outcomes[2].second, told.events[2].first);
  EXPECT_EQ(told.outcomes[2].first.journal(), 200u);
  EXPECT_EQ(report->events, 3u);
  EXPECT_EQ(report->outcomes, 3u);
}

TEST(Recovery, SyncsBeforeItReads) {
  FakeDisk disk;
  fill(disk, 1);
  std::map<std::string, bool> synced;
  disk.fault = [&](const std::string& call, const std::string& path) {
    if (call == "sync" || call == "sync_directory") synced[path] = true;
    if (call == "list" || call == "read_at") {
      EXPECT_TRUE(synced[path] || path.ends_with("oldest")) << call << ' ' << path;
    }
    return 0;
  };
  disk.fault("sync_directory", data_directory);
  Told told;
  EXPECT_TRUE(recover_all(disk, told));
}

TEST(Recovery, WritesNothing) {
  FakeDisk disk;
  fill(disk, 2);
  disk.contents(segment(1))[5000] ^= std::byte{1};
  FakeDisk before;
  before.copy_from(disk);
  disk.calls.clear();
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  for (const auto& path : before.paths()) EXPECT_EQ(disk.contents(path), before.contents(path));
  for (const char* call : {"write_at", "rename", "remove", "make_directory"}) {
    EXPECT_EQ(disk.calls[call], 0u) << call;
  }
}

TEST(Recovery, AnyCallMayFail) {
  FakeDisk disk;
  fill(disk, 2);
  for (int failing = 0;; ++failing) {
    int count = 0;
    bool failed = false;
    disk.fault = [&](const std::string&, const std::string&) {
      const bool now = count++ == failing;
      failed = failed || now;
      return now ? EIO : 0;
    };
    Told told;
    const auto report = recover_all(disk, told);
    if (!failed) {
      EXPECT_TRUE(report);
      EXPECT_GT(failing, 20);
      break;
    }
    ASSERT_FALSE(report) << failing;
    EXPECT_EQ(report.error().code, Errc::io_failed);
    EXPECT_EQ(disk.open_count(), 0u) << failing;
  }
}

// --- an unfinished end (D-6) ---------------------------------------------------------------------

// Goal: a cut takes the record it goes through and what stands behind it, and nothing else; it is
// reported once; later records are readable after another restart.
// Method: cut the newest segment at every byte of its last three records.
TEST(Recovery, SurvivesEveryCutOfTheLastThreeRecords) {
  for (const bool one_block : {true, false}) {
    FakeDisk disk;
    std::vector<Position> positions;
    {
      Journal journal(disk, small());
      for (int index = 0; index < 6; ++index) {
        const std::string name = "event " + std::to_string(index);
        positions.push_back(journal.append(name, 50));
        if (!one_block) journal.flush();
      }
      journal.flush();
    }
    const uint32_t span =
        static_cast<uint32_t>(record_span(test::make_event("event 0", 50)->record().size()));
    const uint32_t end = positions[5].offset() + span;
    for (uint32_t cut = positions[3].offset(); cut <= end; ++cut) {
      size_t expected = 0;
      while (expected < 6 && positions[expected].offset() + span <= cut) ++expected;
      FakeDisk copy;
      copy.copy_from(disk);
      copy.contents(segment(1)).resize(cut);
      Told told;
      const auto report = recover_all(copy, told);
      ASSERT_TRUE(report) << cut;
      ASSERT_EQ(told.events.size(), expected) << cut;
      const auto torn = told.of_kind(Finding::Kind::torn_tail);
      ASSERT_EQ(torn.size(), 1u) << cut;
      EXPECT_EQ(torn[0].path, segment(1));
      ASSERT_EQ(told.findings.size(), 1u) << cut;
      if (cut % 7 != 0) continue;  // The rest is slower.

      { Journal(copy, small(), report->journals[0]).add("later"); }
      Told again;
      ASSERT_TRUE(recover_all(copy, again)) << cut;
      EXPECT_TRUE(again.findings.empty()) << cut << ' ' << again.findings[0].text;
      ASSERT_EQ(again.events.size(), expected + 1) << cut;
      EXPECT_EQ(again.ids().back(), "later");
    }
  }
}

// Goal: a write that was torn within its block, in a file of full size (power loss).
TEST(Recovery, TornBlockKeepsItsWholeRecordsAndIsReportedOnce) {
  for (size_t kept = 0; kept <= 8192; kept += 4096) {
    FakeDisk disk;
    JournalEnd end;
    {
      Journal journal(disk, small());
      journal.add("durable");
      journal.append("a", 3000);
      journal.append("b", 3000);
      journal.append("c", 3000);
      journal.writer->commit();
      journal.ring.fail(0, EIO, kept);
    }
    const size_t whole = kept == 8192 ? 2 : kept == 4096 ? 1 : 0;
    Told told;
    end = end_of(disk, told);
    EXPECT_EQ(told.events.size(), 1 + whole) << kept;
    EXPECT_EQ(told.of_kind(Finding::Kind::torn_tail).size(), kept > 0 ? 1u : 0u) << kept;
    EXPECT_EQ(told.findings.size(), kept > 0 ? 1u : 0u);
    EXPECT_EQ(end.previous_kind, kept > 0 ? PreviousEnd::torn : PreviousEnd::clean);

    { Journal(disk, small(), end).add("later"); }
    Told again;
    end_of(disk, again);
    EXPECT_EQ(again.events.size(), 2 + whole) << kept;
    EXPECT_TRUE(again.findings.empty()) << kept;
  }
}

// Goal: with two writes in flight the later one may be the only one that arrived.
TEST(Recovery, HoleBeforeTheLastWriteIsNotDamage) {
  FakeDisk disk;
  {
    Journal journal(disk, small());
    journal.add("durable");
    journal.append("hole", 3000);
    journal.writer->commit();
    journal.append("behind", 100);
    journal.writer->commit();
    journal.ring.finish(1);
    journal.ring.fail(0, EIO);
  }
  Told told;
  const JournalEnd end = end_of(disk, told);
  EXPECT_EQ(told.ids(), (std::vector<std::string>{"durable", "behind"}));
  EXPECT_EQ(told.of_kind(Finding::Kind::torn_tail).size(), 1u);
  EXPECT_TRUE(told.of_kind(Finding::Kind::damage).empty());
  { Journal(disk, small(), end).add("later"); }
  Told again;
  end_of(disk, again);
  EXPECT_EQ(again.ids(), (std::vector<std::string>{"durable", "behind", "later"}));
  EXPECT_TRUE(again.findings.empty());
}

// Goal: the same hole is damage if a later block says that it was durable.
TEST(Recovery, HoleBeforeALaterCommitIsDamage) {
  FakeDisk disk;
  Position hole;
  {
    Journal journal(disk, small());
    journal.add("one");
    hole = journal.add("two");
    journal.add("three");
  }
  auto& bytes = disk.contents(segment(1));
  std::fill_n(bytes.begin() + hole.offset() / 4096 * 4096, 4096, std::byte{});
  Told told;
  end_of(disk, told);
  EXPECT_EQ(told.ids(), (std::vector<std::string>{"one", "three"}));
  const auto damage = told.of_kind(Finding::Kind::damage);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage[0].offset, 8192u);
  EXPECT_EQ(damage[0].bytes, 4096u);
  EXPECT_EQ(damage[0].path, segment(1));
}

/// A journal of one segment with six blocks that are remembered as durable, one event in each.
Written remembered_blocks(FakeDisk& disk) {
  Journal journal(disk, small());
  for (int index = 0; index < 6; ++index) journal.add("event " + std::to_string(index), 2000);
  EXPECT_TRUE(journal.keeper.note_written(0, journal.writer->written()));
  return journal.writer->written();
}

/// Takes everything from `offset` on out of segment 1.
enum class Loss { cut, zeros };
void lose_end(FakeDisk& disk, Loss loss, uint32_t offset) {
  auto& bytes = disk.contents(segment(1));
  if (loss == Loss::cut) return bytes.resize(offset);
  std::fill(bytes.begin() + offset, bytes.end(), std::byte{});
}

// Goal: the loss of a newest segment's end is no silent start, and where it is certain no start at
// all. Method: cut, and zeros, from every 512th byte on.
TEST(Recovery, LostEndOfTheNewestSegmentIsNoticed) {
  FakeDisk whole;
  const Written written = remembered_blocks(whole);
  EXPECT_EQ(written, (Written{.segment = 1, .end = 7 * 4096, .certain = 4 * 4096}));
  for (const Loss loss : {Loss::cut, Loss::zeros}) {
    for (uint32_t offset = 4096; offset <= written.end; offset += 512) {
      FakeDisk disk;
      disk.copy_from(whole);
      lose_end(disk, loss, offset);
      Told told;
      const auto report = recover_all(disk, told);
      const std::string where = std::to_string(offset) + (loss == Loss::cut ? " cut" : " zeros");
      // Of each block the first 2,300 bytes or so are the record; zeros follow.
      const bool starts = offset >= written.certain - 1536;
      ASSERT_EQ(report.has_value(), starts) << where;
      const uint32_t events_whole = (offset - 4096 + 1536) / 4096;
      EXPECT_EQ(told.events.size(), events_whole) << where;
      if (starts && offset + 1536 < written.end) {
        told.findings = told.of_kind(Finding::Kind::torn_tail);
        ASSERT_EQ(told.findings.size(), 1u) << where;
        EXPECT_NE(told.findings[0].text.find("acknowledged are lost"), std::string::npos);
      }
      if (starts) continue;
      EXPECT_EQ(report.error().code, Errc::not_found);
      EXPECT_EQ(told.findings.back().kind, Finding::Kind::missing);
      EXPECT_EQ(told.findings.back().path, segment(1));
      EXPECT_NE(told.findings.back().text.find("journal.accept_loss = true"), std::string::npos);
    }
  }
}

// Goal: once accepted, the loss is on record, and nobody is asked to accept it again.
TEST(Recovery, LostEndIsAcceptedOnce) {
  for (const uint32_t offset : {4096u, 2u * 4096}) {
    FakeDisk disk;
    remembered_blocks(disk);
    lose_end(disk, Loss::cut, offset);
    Told accepted;
    const auto report = recover_all(disk, accepted, true);
    ASSERT_TRUE(report);
    const auto missing = accepted.of_kind(Finding::Kind::missing);
    ASSERT_EQ(missing.size(), 1u);
    EXPECT_EQ(missing[0].text.find("or start with journal.accept_loss"), std::string::npos);
    EXPECT_NE(missing[0].text.find("accept_loss is on"), std::string::npos);
    { Journal(disk, small(), report->journals[0]).add("later"); }
    Told again;
    ASSERT_TRUE(recover_all(disk, again)) << again.findings.back().text;
    EXPECT_EQ(again.ids().back(), "later");
  }
}

// Goal: what is remembered lags, and may be torn or gone after power loss: it then demands less.
TEST(Recovery, WhatIsRememberedMayLagAndBreak) {
  FakeDisk whole;
  remembered_blocks(whole);
  const std::string note = data_directory + "/000/written";
  const auto text = whole.contents(note);
  for (size_t kept = 0; kept < text.size(); ++kept) {
    FakeDisk disk;
    disk.copy_from(whole);
    disk.contents(note).resize(kept);
    lose_end(disk, Loss::zeros, 2 * 4096);
    Told told;
    EXPECT_TRUE(recover_all(disk, told)) << kept;
  }
  Told told;
  FakeDisk grown;
  grown.copy_from(whole);
  for (const char junk : {'9', '\0', '\n'}) grown.contents(note).push_back(std::byte(junk));
  lose_end(grown, Loss::zeros, 4096);
  EXPECT_FALSE(recover_all(grown, told)) << "a longer text stood there before";
}

// Goal: without what is remembered a start cannot notice a lost end, so people hear of that.
TEST(Recovery, NothingRememberedIsNoted) {
  const std::string note = data_directory + "/000/written";
  const auto bytes = [](size_t size) { return std::vector<std::byte>(size, std::byte('x')); };
  for (const int size : {-1, 0, 1, 76}) {
    FakeDisk disk;
    remembered_blocks(disk);
    size < 0 ? disk.erase(note) : disk.put(note, bytes(static_cast<size_t>(size)));
    Told told;
    ASSERT_TRUE(recover_all(disk, told));
    EXPECT_EQ(told.events.size(), 6u);
    ASSERT_EQ(told.findings.size(), 1u) << size;
    EXPECT_EQ(told.findings[0].kind, Finding::Kind::note);
    EXPECT_EQ(told.findings[0].path, note);
    EXPECT_NE(told.findings[0].text.find("absent or unreadable"), std::string::npos);
  }
  FakeDisk unused;
  { const Journal journal(unused, small()); }
  unused.erase(note);
  Told told;
  ASSERT_TRUE(recover_all(unused, told));
  EXPECT_TRUE(told.findings.empty()) << "nothing was written that could be remembered";
}

// Goal: a segment that a former run ended is missed as well when its contents are gone and nothing
// was written since.
TEST(Recovery, LostContentsOfAFormerRunAreMissed) {
  FakeDisk disk;
  remembered_blocks(disk);
  Told told;
  { const Journal next(disk, small(), end_of(disk, told)); }
  lose_end(disk, Loss::zeros, 4096);
  Told again;
  EXPECT_FALSE(recover_all(disk, again));
  EXPECT_EQ(again.findings.back().path, segment(1));
}

TEST(Recovery, AnIndexBesideItsSegmentIsNothingToReport) {
  FakeDisk disk;
  { Journal(disk, small()).add("one"); }
  const std::string directory = journal_path(data_directory, 0);
  for (const std::string& name : {index_name(1), unfinished_index_name(1), std::string("1.idx")}) {
    disk.put(directory + '/' + name, {});
  }
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  ASSERT_EQ(told.findings.size(), 1u);
  EXPECT_EQ(told.findings[0].path, directory + "/1.idx");
}

// Goal: bytes that are dropped behind an end are told with their place and their count.
TEST(Recovery, BytesBehindTheEndAreCounted) {
  FakeDisk disk;
  { Journal(disk, small()).add("one"); }
  disk.contents(segment(1))[5 * 4096 + 17] = std::byte{1};
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  ASSERT_EQ(told.findings.size(), 1u);
  EXPECT_EQ(told.findings[0].kind, Finding::Kind::note);
  EXPECT_TRUE(describe(told.findings[0])
                  .starts_with(segment(1) + ": 16384 bytes at offset 8192: after the segment"));
  disk.contents(segment(1)).resize(64 * 1024 + 10);
  Told longer;
  ASSERT_TRUE(recover_all(disk, longer));
  EXPECT_TRUE(describe(longer.findings[0])
                  .starts_with(segment(1) + ": 10 bytes at offset 65536: after the segment"));
}

TEST(Recovery, CrashBetweenFooterAndNextSegment) {
  FakeDisk disk;
  {
    Journal journal(disk, small());
    while (journal.sealed.empty()) journal.add("filler", 9000);
    journal.append("lost on the way");
  }
  const size_t events = [&] {
    Told told;
    end_of(disk, told);
    return told.events.size();
  }();
  std::fill(disk.contents(segment(2)).begin() + 4096, disk.contents(segment(2)).end(), std::byte{});
  Told told;
  const JournalEnd end = end_of(disk, told);
  EXPECT_LT(told.events.size(), events);
  EXPECT_TRUE(told.findings.empty());
  EXPECT_EQ(end.previous, 1u);
  EXPECT_EQ(end.previous_kind, PreviousEnd::sealed);
  { Journal(disk, small(), end).add("later"); }
  Told again;
  end_of(disk, again);
  EXPECT_TRUE(again.findings.empty());
  EXPECT_EQ(again.ids().back(), "later");
}

// --- files (D-8) ---------------------------------------------------------------------------------

TEST(Recovery, MissingMiddleSegmentStopsUnlessAccepted) {
  FakeDisk disk;
  fill(disk, 4);
  disk.erase(segment(2));
  Told told;
  const auto report = recover_all(disk, told);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::not_found);
  ASSERT_FALSE(told.findings.empty());
  EXPECT_EQ(told.findings.back().kind, Finding::Kind::missing);
  EXPECT_EQ(told.findings.back().path, segment(2));

  Told accepted;
  const auto go_on = recover_all(disk, accepted, true);
  ASSERT_TRUE(go_on);
  EXPECT_EQ(accepted.of_kind(Finding::Kind::missing).size(), 1u);
  EXPECT_GT(accepted.events.size(), 10u);

  // Once is enough: the loss is on record.
  { Journal(disk, small(), go_on->journals[0]).add("later"); }
  Told again;
  ASSERT_TRUE(recover_all(disk, again));
  EXPECT_TRUE(again.findings.empty());
  disk.erase(segment(3));
  Told another;
  EXPECT_FALSE(recover_all(disk, another));
}

TEST(Recovery, MissingFirstSegmentStops) {
  FakeDisk disk;
  fill(disk, 3);
  disk.erase(segment(1));
  Told told;
  EXPECT_FALSE(recover_all(disk, told));
  EXPECT_EQ(told.findings.back().path, segment(1));
}

// Goal: that the newest ones are gone does not pass for an end.
TEST(Recovery, MissingNewestSegmentStops) {
  FakeDisk disk;
  fill(disk, 3);
  uint32_t newest = 4;
  while (disk.exists(segment(newest + 1))) ++newest;
  for (uint32_t number = 4; number <= newest; ++number) disk.erase(segment(number));
  Told told;
  EXPECT_FALSE(recover_all(disk, told));
  EXPECT_EQ(told.findings.back().path, segment(newest));
  EXPECT_NE(told.findings.back().text.find("00000003.seg"), std::string::npos);
  Told accepted;
  const auto report = recover_all(disk, accepted, true);
  ASSERT_TRUE(report);
  // The numbers of what is lost are not given to other records.
  EXPECT_GT(report->journals[0].next_segment, newest);
  { Journal(disk, small(), report->journals[0]).add("later"); }
  Told again;
  EXPECT_TRUE(recover_all(disk, again));
  EXPECT_TRUE(again.findings.empty());
  EXPECT_EQ(again.ids().back(), "later");
}

/// As a release wrote it that did not name the newest segment.
void make_mark_old(FakeDisk& disk) {
  const std::string directory = data_directory + "/000";
  auto mark = **read_journal_mark(disk, directory, 0);
  mark.newest.reset();
  ASSERT_TRUE(write_journal_mark(disk, directory, 0, mark));
}

TEST(Recovery, OldMarksShowAMissingSuccessorByTheSeal) {
  FakeDisk disk;
  fill(disk, 3);
  make_mark_old(disk);
  Told whole;
  EXPECT_TRUE(recover_all(disk, whole));
  for (uint32_t number = 4; number < 8; ++number) disk.erase(segment(number));
  Told told;
  EXPECT_FALSE(recover_all(disk, told));
  EXPECT_EQ(told.findings.back().path, segment(4));
  Told accepted;
  const auto report = recover_all(disk, accepted, true);
  ASSERT_TRUE(report);
  EXPECT_GT(report->journals[0].next_segment, 100u);
}

// Goal: no set of segments can go without being missed, whatever is left: prepared ones, the first,
// the last, none; with the mark or without it, if it is known from elsewhere that the journal was
// begun. Method: every subset of them.
TEST(Recovery, EveryMissingSegmentIsMissed) {
  FakeDisk whole;
  fill(whole, 2);
  uint32_t newest = 3;
  while (whole.exists(segment(newest + 1))) ++newest;
  ASSERT_GE(newest, 4u);  // One is prepared, and empty.
  for (const bool with_mark : {true, false}) {
    for (uint32_t gone = 0; gone < 1u << newest; ++gone) {
      FakeDisk disk;
      disk.copy_from(whole);
      if (!with_mark) disk.erase(data_directory + "/000/oldest");
      for (uint32_t number = 1; number <= newest; ++number) {
        if ((gone >> (number - 1) & 1) != 0) disk.erase(segment(number));
      }
      Told told;
      const auto report = recover(disk, data_directory,
                                  {.directory_id = directory_id, .begun = {{.journal = 0}}}, told);
      // Without the mark, whether there was another one behind the last prepared is known to
      // nobody; nor does it matter, for as long as one is left that names what has contents.
      const bool newest_only = gone >> 3 != 0 && (gone & 7) == 0;
      if (!with_mark && newest_only) continue;
      EXPECT_EQ(report.has_value(), gone == 0) << with_mark << ' ' << gone;
      if (gone == 0) continue;
      EXPECT_EQ(told.findings.back().kind, Finding::Kind::missing);
      EXPECT_FALSE(disk.exists(told.findings.back().path)) << with_mark << ' ' << gone;
    }
  }
}

TEST(Recovery, MissingJournalStopsUnlessAccepted) {
  for (const bool all : {true, false}) {
    FakeDisk disk;
    if (!all) fill(disk, 1);
    const RecoveryOptions strict{.directory_id = directory_id,
                                 .begun = {{.journal = 0}, {.journal = 7, .used = 40}}};
    Told told;
    const auto report = recover(disk, data_directory, strict, told);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::not_found);
    EXPECT_EQ(told.findings.back().path, data_directory + (all ? "/000" : "/007"));
    RecoveryOptions accepting = strict;
    accepting.accept_loss = true;
    const auto accepted = recover(disk, data_directory, accepting, told);
    ASSERT_TRUE(accepted);
    ASSERT_EQ(accepted->journals.size(), 2u);
    EXPECT_EQ(accepted->journals[1].journal, 7);
    EXPECT_EQ(accepted->journals[1].next_segment, 41u);
  }
}

// Goal: an outcome that is left of a lost event is never taken for that of a new one.
TEST(Recovery, NumbersThatOutcomesNameAreNotGivenAgain) {
  FakeDisk disk;
  Journal(disk, small()).add_outcome(Position::make(7, 30, 4096));
  Told told;
  const auto report =
      recover(disk, data_directory,
              {.directory_id = directory_id, .accept_loss = true, .begun = {{.journal = 7}}}, told);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->journals[1].next_segment, 31u);
}

TEST(Recovery, EmptySegmentStopsUnlessAccepted) {
  for (const size_t size : {size_t{0}, size_t{100}, size_t{4096}, size_t{64 * 1024}}) {
    FakeDisk disk;
    fill(disk, 3);
    disk.put(segment(2), std::vector<std::byte>(size));
    Told told;
    EXPECT_FALSE(recover_all(disk, told)) << size;
    EXPECT_EQ(told.findings.back().path, segment(2));
    EXPECT_EQ(told.findings.back().kind, Finding::Kind::missing);
    Told accepted;
    EXPECT_TRUE(recover_all(disk, accepted, true)) << size;
  }
}

TEST(Recovery, CopyUnderAnotherNumberIsRefused) {
  FakeDisk disk;
  fill(disk, 2);
  const auto copy = disk.contents(segment(2));
  disk.put(segment(30), copy);
  Told told;
  const auto report = recover_all(disk, told, true);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::conflict);
  EXPECT_EQ(told.findings.back().path, segment(30));
  EXPECT_NE(told.findings.back().text.find("segment 2 of journal 0"), std::string::npos);
}

TEST(Recovery, ForeignDirectoryIsRefused) {
  FakeDisk disk;
  fill(disk, 1);
  Told told;
  const auto report = recover(disk, data_directory, {.directory_id = directory_id + 1}, told);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::conflict);
}

TEST(Recovery, LostMarkIsRebuilt) {
  FakeDisk disk;
  const auto ids = fill(disk, 3);
  for (const bool erase : {true, false}) {
    if (erase) {
      disk.erase(data_directory + "/000/oldest");
    } else {
      disk.put(data_directory + "/000/oldest", {});
    }
    Told told;
    ASSERT_TRUE(recover_all(disk, told));
    EXPECT_EQ(told.ids(), ids);
    ASSERT_EQ(told.findings.size(), 1u);
    EXPECT_EQ(told.findings[0].kind, Finding::Kind::note);
  }
}

TEST(Recovery, ExpiredSegmentsAreNotMissed) {
  FakeDisk disk;
  {
    Journal journal(disk, small());
    while (journal.sealed.size() < 5) journal.add("filler", 9000);
    ASSERT_TRUE(journal.keeper.expire(0, 4));
  }
  Told told;
  const auto report = recover_all(disk, told);
  ASSERT_TRUE(report);
  EXPECT_TRUE(told.findings.empty());
  EXPECT_EQ(report->journals[0].oldest, 4u);
  for (const auto& [position, id] : told.events) EXPECT_GE(position.segment(), 4u);
}

TEST(Recovery, UnknownFilesAreNotedAndLeftAlone) {
  FakeDisk disk;
  const auto ids = fill(disk, 1);
  disk.put(data_directory + "/000/00000001.seg.bak", std::vector<std::byte>(10));
  ASSERT_TRUE(disk.make_directory(data_directory + "/lost+found"));
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  EXPECT_EQ(told.ids(), ids);
  EXPECT_EQ(told.findings.size(), 2u);
}

// --- full segments that have lost something ------------------------------------------------------

constexpr uint32_t footer_at = 60 * 1024;

void zero(FakeDisk& disk, uint32_t number, uint32_t begin, uint32_t end) {
  auto& bytes = disk.contents(segment(number));
  std::fill(bytes.begin() + begin, bytes.begin() + end, std::byte{});
}

void expect_lost_end(const Told& told, const std::string& range, const std::string& where) {
  const Finding& last = told.findings.back();
  EXPECT_EQ(last.kind, Finding::Kind::missing) << where;
  EXPECT_EQ(last.path, segment(2)) << where;
  EXPECT_NE(last.text.find("the end of the segment is gone: its records from offset " + range +
                           " were durable, and events among them acknowledged"),
            std::string::npos)
      << where << ": " << last.text;
}

// Goal: a full segment without its end stops the start, and the range that may be missing is named.
// Method: segments of seven blocks of 8 KiB, an event of 5,000 bytes in each, up to the footer;
// cut, and zeros, from every 512th byte on.
TEST(Recovery, LostEndOfAFullSegmentStopsUnlessAccepted) {
  FakeDisk whole;
  const size_t events = fill(whole, 3).size();
  for (const Loss loss : {Loss::cut, Loss::zeros}) {
    for (uint32_t offset = 8192; offset < 64 * 1024; offset += 512) {
      FakeDisk disk;
      disk.copy_from(whole);
      zero(disk, 2, offset, 64 * 1024);
      if (loss == Loss::cut) disk.contents(segment(2)).resize(offset);
      const std::string where = std::to_string(offset) + (loss == Loss::cut ? " cut" : " zeros");
      const uint32_t good = (offset - 4096 + 2560) / 8192;  // Padding follows the record.
      Told told;
      ASSERT_EQ(recover_all(disk, told).has_value(), good == 7) << where;
      if (good == 7) {
        EXPECT_EQ(told.events.size(), events) << where;
        continue;
      }
      expect_lost_end(told, std::to_string(4096 + good * 8192) + " to at most 61440", where);
      Told accepted;
      const auto report = recover_all(disk, accepted, true);
      ASSERT_TRUE(report) << where;
      EXPECT_EQ(accepted.events.size(), events - 7 + good) << where;
      { Journal(disk, small(), report->journals[0]).add("later"); }
      Told again;
      EXPECT_TRUE(recover_all(disk, again)) << where;
    }
  }
}

TEST(Recovery, LostContentsOfAFullSegmentStop) {
  for (const Loss loss : {Loss::cut, Loss::zeros}) {
    FakeDisk disk;
    fill(disk, 3);
    zero(disk, 2, 4096, 64 * 1024);
    if (loss == Loss::cut) disk.contents(segment(2)).resize(4096);
    Told told;
    EXPECT_FALSE(recover_all(disk, told));
    EXPECT_EQ(told.findings.back().path, segment(2));
    EXPECT_NE(told.findings.back().text.find("all that the segment held is gone"),
              std::string::npos);
  }
}

// Goal: the same when the footer is still there. It says how many blocks are missing at the end:
// more than three stop the start, fewer are damage.
TEST(Recovery, LostEndBeforeAFooterStops) {
  FakeDisk whole;
  fill(whole, 3);
  for (uint32_t good = 1; good < 7; ++good) {
    FakeDisk disk;
    disk.copy_from(whole);
    const uint32_t offset = 4096 + good * 8192;
    zero(disk, 2, offset, footer_at);
    Told told;
    const auto report = recover_all(disk, told);
    ASSERT_EQ(report.has_value(), good >= 4) << good;
    const auto damage = told.of_kind(Finding::Kind::damage);
    ASSERT_EQ(damage.size(), 1u);
    EXPECT_EQ(damage[0].offset, offset);
    EXPECT_EQ(damage[0].bytes, footer_at - offset);
    if (report) {
      EXPECT_EQ(report->records_lost, 7 - good);
    } else {
      expect_lost_end(told, std::to_string(offset) + " to 61440", std::to_string(good));
    }
  }
}

// Goal: the same in a segment that ended with its run and that a later header closes.
TEST(Recovery, LostEndOfAFormerRunStops) {
  FakeDisk whole;
  remembered_blocks(whole);
  Told told;
  {
    Journal next(whole, small(), end_of(whole, told));
    next.add("later");
    ASSERT_TRUE(next.keeper.note_written(0, next.writer->written()));
  }
  for (const Loss loss : {Loss::cut, Loss::zeros}) {
    for (uint32_t good = 1; good < 6; ++good) {
      FakeDisk disk;
      disk.copy_from(whole);
      lose_end(disk, loss, 4096 + good * 4096);
      Told found;
      ASSERT_EQ(recover_all(disk, found).has_value(), good >= 3) << good;
      EXPECT_EQ(found.events.size(), good + (good >= 3 ? 1 : 0));
      if (good < 3) {
        EXPECT_EQ(found.findings.back().path, segment(1));
        EXPECT_NE(found.findings.back().text.find("the end of the segment is gone"),
                  std::string::npos);
      } else {
        EXPECT_FALSE(found.of_kind(Finding::Kind::damage).empty());
      }
    }
  }
}

// Goal: one damaged place costs what it covers, and the start goes on.
TEST(Recovery, OneLostBlockOfAFullSegmentIsDamage) {
  FakeDisk whole;
  const size_t events = fill(whole, 3).size();
  for (uint32_t block = 0; block < 7; ++block) {
    FakeDisk disk;
    disk.copy_from(whole);
    const uint32_t offset = 4096 + block * 8192;
    zero(disk, 2, offset, offset + 8192);
    Told told;
    const auto report = recover_all(disk, told);
    ASSERT_TRUE(report) << block;
    EXPECT_EQ(told.events.size(), events - 1);
    EXPECT_EQ(report->records_lost, 1u);
    ASSERT_EQ(told.findings.size(), 1u) << block;
    EXPECT_EQ(told.findings[0].kind, Finding::Kind::damage);
    EXPECT_EQ(told.findings[0].offset, offset);
  }
}

// --- versions (O-3) ------------------------------------------------------------------------------

TEST(Recovery, NewerFormatIsRefusedUntouched) {
  FakeDisk disk;
  fill(disk, 1);
  auto& bytes = disk.contents(segment(1));
  store_le<uint16_t>(&bytes[8], 2);
  store_le(&bytes[4092], crc32c(0, Bytes{bytes}.first(4092)));
  const auto before = bytes;
  Told told;
  const auto report = recover_all(disk, told, true);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::unsupported);
  EXPECT_NE(told.findings.back().text.find("newer"), std::string::npos);
  EXPECT_EQ(disk.contents(segment(1)), before);
}

/// Puts a record of type 99 behind what segment 1 holds.
void append_future_record(FakeDisk& disk, uint32_t offset, uint8_t flags, uint32_t ordinal) {
  auto& bytes = disk.contents(segment(1));
  const Generation generation(directory_id, 0, 1);
  const std::string payload = "from the future";
  const auto span = static_cast<uint32_t>(record_span(payload.size()));
  std::byte* block = &bytes[offset];
  write_record({.payload_bytes = static_cast<uint32_t>(payload.size()),
                .type = 99,
                .flags = flags,
                .ordinal = ordinal},
               generation, offset + block_header_bytes, as_bytes(payload),
               block + block_header_bytes);
  write_block_header({.sequence = 1, .payload_bytes = span, .record_count = 1}, 1, block);
  seal_block(block,
             crc32c(generation.seed(offset), {block + block_header_bytes, record_header_bytes}));
}

TEST(Recovery, UnknownOptionalRecordIsSkippedAndRequiredOneStops) {
  FakeDisk disk;
  { Journal(disk, small()).add("one"); }
  append_future_record(disk, 8192, record_flag_optional, 1);
  Told told;
  const auto report = recover_all(disk, told);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->records_skipped, 1u);
  EXPECT_EQ(told.events.size(), 1u);
  EXPECT_TRUE(told.findings.empty());

  append_future_record(disk, 8192, 0, 1);
  Told stopped;
  const auto refused = recover_all(disk, stopped);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unsupported);
  EXPECT_EQ(stopped.findings.back().offset, 8192u + 32);
}

TEST(Recovery, RecordThatMakesNoSenseIsDamage) {
  FakeDisk disk;
  {
    Journal journal(disk, small());
    journal.add("one");
    ASSERT_TRUE(journal.writer->append(RecordType::event, as_bytes("\x01nonsense")));
    journal.add("two");
  }
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  EXPECT_EQ(told.ids(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(told.of_kind(Finding::Kind::damage).size(), 1u);
}

}  // namespace
}  // namespace ringpost::journal
