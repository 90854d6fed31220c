#include "journal/writer.h"

#include "harness.h"
#include "journal/format.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::journal {
namespace {

using test::FakeDisk;
using test::Journal;
using test::make_event;
using test::recover_all;
using test::Told;

Journal::Setup small_segments() {
  return {.segment_bytes = 64 * 1024};
}

std::vector<std::byte> payload(size_t bytes) {
  return std::vector<std::byte>(bytes, std::byte{'x'});
}

TEST(Writer, NothingIsDurableBeforeItsWriteEnds) {
  FakeDisk disk;
  Journal journal(disk, {});
  const Position position = journal.append("one");
  EXPECT_TRUE(journal.durable.empty());
  EXPECT_TRUE(journal.ring.writes().empty());
  journal.writer->commit();
  EXPECT_TRUE(journal.durable.empty());
  journal.ring.finish();
  ASSERT_EQ(journal.durable.size(), 1u);
  EXPECT_LT(position, journal.durable[0]);
  EXPECT_EQ(journal.writer->durable_through(), journal.durable[0]);
  EXPECT_TRUE(journal.writer->idle());
}

TEST(Writer, OneTurnIsOneWrite) {
  FakeDisk disk;
  Journal journal(disk, {});
  for (int index = 0; index < 100; ++index) journal.append("event " + std::to_string(index));
  journal.writer->commit();
  EXPECT_EQ(journal.ring.writes_started(), 1u);
  journal.ring.finish_all();
  EXPECT_EQ(journal.counters.value(Counter::journal_records), 100u);
  EXPECT_EQ(journal.counters.value(Counter::syncs_completed), 1u);
  EXPECT_EQ(journal.counters.value(Counter::journal_bytes) % page_bytes, 0u);
}

TEST(Writer, CommitWithoutRecordsWritesNothing) {
  FakeDisk disk;
  Journal journal(disk, {});
  journal.writer->commit();
  EXPECT_EQ(journal.ring.writes_started(), 0u);
}

TEST(Writer, SaysWhetherAnythingThatWaitsIsUrgent) {
  FakeDisk disk;
  Journal journal(disk, {});
  EXPECT_FALSE(journal.writer->nothing_urgent_waits());  // Nothing waits.
  const auto append = [&](Urgency urgency) {
    ASSERT_TRUE(
        journal.writer->append(RecordType::outcome, payload(100), Claim::ordinary, urgency));
  };
  append(Urgency::may_wait);
  EXPECT_TRUE(journal.writer->nothing_urgent_waits());
  append(Urgency::now);
  EXPECT_FALSE(journal.writer->nothing_urgent_waits());
  append(Urgency::may_wait);
  EXPECT_FALSE(journal.writer->nothing_urgent_waits());
  journal.writer->commit();
  journal.ring.finish_all();
  append(Urgency::may_wait);
  EXPECT_TRUE(journal.writer->nothing_urgent_waits());
}

TEST(Writer, WhatMayWaitDoesNotWaitForMoreThanABlock) {
  FakeDisk disk;
  Journal journal(disk, {});
  while (journal.ring.writes_started() == 0) {
    ASSERT_TRUE(journal.writer->append(RecordType::outcome, payload(8000), Claim::ordinary,
                                       Urgency::may_wait));
    if (!journal.writer->nothing_urgent_waits()) journal.writer->commit();
  }
  EXPECT_GT(journal.counters.value(Counter::journal_records), 10u);
}

TEST(Writer, RecordsGatherWhileBothSlotsAreBusy) {
  FakeDisk disk;
  Journal journal(disk, {});
  for (int turn = 0; turn < 20; ++turn) {
    journal.append("turn " + std::to_string(turn));
    journal.writer->commit();
  }
  EXPECT_EQ(journal.ring.writes().size(), 2u);
  journal.ring.finish();
  EXPECT_EQ(journal.ring.writes().size(), 1u);  // The open block waits for the end of the turn.
  journal.writer->commit();
  EXPECT_EQ(journal.ring.writes_started(), 3u);  // 18 records in one block.
  journal.ring.finish_all();
  EXPECT_EQ(journal.durable.size(), 3u);
}

TEST(Writer, FullBlocksLeaveWithoutWaitingForTheTurn) {
  FakeDisk disk;
  Journal journal(disk, {});
  for (int index = 0; index < 20; ++index) {
    ASSERT_TRUE(journal.writer->append(RecordType::event, payload(60'000)));
  }
  journal.writer->commit();
  for (const auto& write : journal.ring.writes()) EXPECT_LE(write.bytes.size(), 256u * 1024);
  journal.ring.finish();
  EXPECT_EQ(journal.ring.writes().size(), 2u);
}

// Goal: an acknowledgement never overtakes an earlier record. Method: end the later write first.
TEST(Writer, DurableInOrderThoughWritesEndOutOfOrder) {
  FakeDisk disk;
  Journal journal(disk, {});
  const Position first = journal.append("first");
  journal.writer->commit();
  const Position second = journal.append("second");
  journal.writer->commit();
  ASSERT_EQ(journal.ring.writes().size(), 2u);
  journal.ring.finish(1);
  EXPECT_TRUE(journal.durable.empty());
  journal.ring.finish(0);
  ASSERT_EQ(journal.durable.size(), 1u);
  EXPECT_LT(first, second);
  EXPECT_LT(second, journal.durable[0]);
}

TEST(Writer, PositionsAreWhereRecoveryFindsTheRecords) {
  FakeDisk disk;
  std::vector<std::pair<Position, std::string>> written;
  {
    Journal journal(disk, small_segments());
    Prng random(5);
    for (int index = 0; index < 500; ++index) {
      const std::string name = "event " + std::to_string(index);
      written.emplace_back(journal.append(name, random.below(3000)), name);
      if (random.chance(1, 3)) journal.flush();
    }
    journal.flush();
    EXPECT_GT(journal.sealed.size(), 5u);
  }
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  EXPECT_EQ(told.events, written);
  EXPECT_TRUE(told.findings.empty());
}

TEST(Writer, HugeRecordGetsABlockOfItsOwn) {
  FakeDisk disk;
  std::vector<std::string> names{"small", "huge", "after"};
  {
    Journal journal(disk, {});
    journal.append("small");
    journal.append("huge", 3'000'000);
    journal.append("after");
    journal.flush();
  }
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  EXPECT_EQ(told.ids(), names);
  EXPECT_EQ(told.records["huge"].size(), make_event("huge", 3'000'000)->record().size());
}

TEST(Writer, RecordBeyondASegmentIsTooLarge) {
  FakeDisk disk;
  Journal journal(disk, small_segments());
  const auto position = journal.writer->append(RecordType::outcome, payload(64 * 1024));
  ASSERT_FALSE(position);
  EXPECT_EQ(position.error().code, Errc::too_large);
  EXPECT_TRUE(journal.writer->append(RecordType::outcome, payload(64 * 1024 - 8192 - 48)));
}

TEST(Writer, FullQueueIsOverloadedUntilItDrains) {
  FakeDisk disk;
  Journal::Setup setup;
  setup.writer.queue_bytes_max = 100'000;
  Journal journal(disk, setup);
  int taken = 0;
  while (journal.writer->append(RecordType::event, payload(10'000))) ++taken;
  EXPECT_EQ(taken, 9);
  EXPECT_EQ(journal.writer->append(RecordType::event, payload(10'000)).error().code,
            Errc::overloaded);
  journal.flush();
  EXPECT_TRUE(journal.writer->append(RecordType::event, payload(10'000)));
}

TEST(Writer, BatchIsAllOrNothing) {
  FakeDisk disk;
  Journal::Setup setup;
  setup.writer.queue_bytes_max = 100'000;
  Journal journal(disk, setup);
  EXPECT_TRUE(journal.writer->admit(5, 50'000));
  ASSERT_TRUE(journal.writer->append(RecordType::event, payload(60'000)));
  EXPECT_EQ(journal.writer->admit(5, 50'000).error().code, Errc::overloaded);
  journal.flush();
  EXPECT_TRUE(journal.writer->admit(5, 50'000));
}

// Goal: a batch larger than the queue's limit is not refused for ever.
TEST(Writer, EmptyQueueTakesABatchOfAnySize) {
  FakeDisk disk;
  Journal::Setup setup;
  setup.writer.queue_bytes_max = 100'000;
  Journal journal(disk, setup);
  ASSERT_TRUE(journal.writer->admit(40, 400'000));
  for (int index = 0; index < 40; ++index) {
    ASSERT_TRUE(journal.writer->append(RecordType::event, payload(10'000))) << index;
  }
  EXPECT_EQ(journal.writer->append(RecordType::event, payload(10'000)).error().code,
            Errc::overloaded);
  journal.flush();
}

// Goal: what can never be taken is not asked to be sent again. Method: both sides of what a segment
// holds.
TEST(Writer, RefusesForGoodWhatFitsIntoNoSegment) {
  FakeDisk disk;
  const Journal::Setup setup;
  Journal journal(disk, setup);
  const uint64_t most = setup.segment_bytes;
  EXPECT_EQ(journal.writer->admit(10, most).error().code, Errc::too_large);
  EXPECT_EQ(journal.writer->admit(10, 100 * most).error().code, Errc::too_large);
  ASSERT_TRUE(journal.writer->append(RecordType::event, payload(1000)));
  EXPECT_EQ(journal.writer->admit(10, most).error().code, Errc::too_large) << "busy or not";
  EXPECT_TRUE(journal.writer->admit(10, most / 4));
  journal.flush();
}

// Goal: a batch that a segment holds is taken in the end, also where the segment in use is half
// full and the next one alone would not leave what outcomes need. Method: a relay's turns, while a
// client sends the same batch again.
TEST(Writer, TakesABatchThatFillsASegmentOnceThereAreEnough) {
  FakeDisk disk;
  const Journal::Setup setup{.segment_bytes = 256 * 1024, .prepared = 2};
  Journal journal(disk, setup);
  for (int index = 0; index < 12; ++index) {
    ASSERT_TRUE(journal.writer->append(RecordType::event, payload(10'000)));
    journal.flush();
  }
  const auto admitted = [&] { return journal.writer->admit(20, 200'000); };
  ASSERT_EQ(admitted().error().code, Errc::overloaded);
  for (int turn = 0; turn < 3 && !admitted(); ++turn) {
    journal.writer->commit();
    if (std::exchange(journal.wanted, false)) journal.prepare();
  }
  ASSERT_TRUE(admitted());
  for (int index = 0; index < 20; ++index) {
    ASSERT_TRUE(journal.writer->append(RecordType::event, payload(10'000))) << index;
  }
  journal.flush();
}

// Goal: what `admit` promises, `append` keeps. Method: batches of random shape until the disk is
// full.
TEST(Writer, AdmittedBatchIsNeverRefusedHalfway) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    FakeDisk disk;
    Journal::Setup setup{.segment_bytes = 512 * 1024, .prepared = 3, .more_segments = false};
    Journal journal(disk, setup);
    Prng random(seed);
    bool full = false;
    while (!full) {
      const auto count = static_cast<uint32_t>(random.between(1, 40));
      const uint64_t size = random.below(2000);
      const auto admitted = journal.writer->admit(count, count * size);
      full = !admitted;
      if (full) {
        EXPECT_EQ(admitted.error().code, Errc::out_of_space);
        break;
      }
      for (uint32_t index = 0; index < count; ++index) {
        ASSERT_TRUE(journal.writer->append(RecordType::event, payload(size))) << "seed " << seed;
      }
      if (random.chance(1, 2)) journal.flush();
    }
    journal.flush();
  }
}

TEST(Writer, LastSegmentKeepsAReserveForOutcomes) {
  FakeDisk disk;
  Journal::Setup setup{.segment_bytes = 4 * 1024 * 1024, .prepared = 1, .more_segments = false};
  Journal journal(disk, setup);
  Result<Position> last = Position{};
  uint64_t bytes = 0;
  while ((last = journal.writer->append(RecordType::event, payload(10'000)))) {
    bytes += 10'000;
    journal.flush();
  }
  EXPECT_EQ(last.error().code, Errc::out_of_space);
  EXPECT_GT(bytes, 2'000'000u);
  EXPECT_LT(bytes, 3'200'000u);
  EXPECT_FALSE(journal.writer->admit(1, 10'000));
  const auto outcome = test::make_outcome(Position::make(0, 1, 4128));
  for (const Claim claim : {Claim::ordinary, Claim::end}) {
    for (int index = 0; index < 100; ++index) {  // Each in a page of its own.
      ASSERT_TRUE(journal.writer->append(RecordType::outcome, outcome, claim));
      journal.flush();
    }
  }
  EXPECT_TRUE(journal.wanted);
  journal.prepare();  // Space is back.
  EXPECT_TRUE(journal.writer->append(RecordType::event, payload(10'000)));
  journal.flush();
}

TEST(Writer, OutcomesEndWhenNothingIsLeft) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 64 * 1024, .prepared = 1, .more_segments = false});
  Result<Position> last = Position{};
  while ((last = journal.writer->append(RecordType::outcome, payload(3000), Claim::end))) {
    journal.flush();
  }
  EXPECT_EQ(last.error().code, Errc::out_of_space);
  journal.prepare();
  EXPECT_TRUE(journal.writer->append(RecordType::outcome, payload(3000), Claim::end));
  journal.flush();
  EXPECT_EQ(journal.sealed, std::vector<uint32_t>{1});
}

TEST(Writer, SaysWhetherASegmentIsOnItsWay) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 64 * 1024, .prepared = 1, .more_segments = false});
  while (journal.writer->append(RecordType::event, payload(3000))) journal.flush();
  for (const bool delayed : {true, false}) {
    journal.writer->segments_delayed(delayed);
    const Errc expected = delayed ? Errc::out_of_space : Errc::overloaded;
    EXPECT_EQ(journal.writer->append(RecordType::event, payload(3000)).error().code, expected);
    EXPECT_EQ(journal.writer->admit(1, 3000).error().code, expected);
  }
}

// Goal: what is kept for ends is there for each of them, whatever else came before.
TEST(Writer, LeavesTheRoomThatIsKeptForEnds) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 512 * 1024, .prepared = 2, .more_segments = false});
  const uint64_t kept = 300'000;
  journal.writer->keep_for_ends(kept);
  Prng random(1);
  while (journal.writer->append(RecordType::outcome, payload(random.below(9000)))) journal.flush();
  EXPECT_FALSE(journal.writer->append(RecordType::event, payload(8)));
  EXPECT_GE(journal.writer->room_bytes(), kept);
  uint64_t ends = 0;
  const auto end = [&] {
    return journal.writer->append(RecordType::outcome, payload(bare_outcome_bytes), Claim::end);
  };
  while (end()) ++ends;  // Together: alone in its block, each takes a page.
  EXPECT_GE(ends, kept / (2 * record_span(bare_outcome_bytes)));
  EXPECT_LT(journal.writer->room_bytes(), 4096u);
  journal.flush();
}

TEST(Writer, WantsAsManySegmentsAsTheEndsTake) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 256 * 1024, .prepared = 2});
  journal.flush();
  journal.writer->commit();
  EXPECT_FALSE(journal.wanted);
  journal.writer->keep_for_ends(1'000'000);
  for (int turn = 0; turn < 20; ++turn) {
    journal.writer->commit();
    if (std::exchange(journal.wanted, false)) journal.prepare();
  }
  EXPECT_GE(journal.writer->room_bytes(), 1'000'000u);
  EXPECT_LE(journal.segments.size(), 7u);
}

TEST(Writer, EndsPassAFullQueueAndOutcomesHaveAsMuchAgain) {
  FakeDisk disk;
  Journal::Setup setup;
  setup.writer.queue_bytes_max = 100'000;
  Journal journal(disk, setup);
  while (journal.writer->append(RecordType::event, payload(9000))) continue;
  EXPECT_FALSE(journal.writer->queue_full());
  while (journal.writer->append(RecordType::outcome, payload(9000))) continue;
  EXPECT_TRUE(journal.writer->queue_full());
  for (int count = 0; count < 5000; ++count) {
    ASSERT_TRUE(journal.writer->append(RecordType::outcome, payload(72), Claim::end));
  }
  journal.flush();
  EXPECT_FALSE(journal.writer->queue_full());
}

TEST(Writer, AsksOnceForEachSegment) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 64 * 1024, .prepared = 1, .more_segments = false});
  for (int turn = 0; turn < 5; ++turn) journal.writer->commit();
  EXPECT_EQ(journal.wanted_count, 1u);
  journal.prepare();
  journal.writer->commit();
  EXPECT_EQ(journal.wanted_count, 1u);
  while (journal.sealed.empty()) {
    ASSERT_TRUE(journal.writer->append(RecordType::outcome, payload(3000)));
    journal.flush();
  }
  EXPECT_EQ(journal.wanted_count, 2u);
}

// Goal: a segment's footer says that all before it is durable. Method: hold the writes back.
TEST(Writer, FooterIsWrittenAlone) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 64 * 1024, .prepared = 2, .more_segments = false});
  for (int index = 0; index < 6; ++index) {
    ASSERT_TRUE(journal.writer->append(RecordType::outcome, payload(15'000), Claim::end));
    journal.writer->commit();
  }
  int footers = 0;
  while (!journal.writer->idle()) {
    journal.writer->commit();
    for (const auto& write : journal.ring.writes()) {
      if (write.offset != 64 * 1024 - page_bytes) continue;
      ++footers;
      EXPECT_EQ(journal.ring.writes().size(), 1u);
      EXPECT_TRUE(journal.sealed.empty());
    }
    journal.ring.finish(journal.ring.writes().size() - 1);
  }
  EXPECT_EQ(footers, 1);
  EXPECT_EQ(journal.sealed, std::vector<uint32_t>{1});
}

TEST(Writer, FailedWriteIsFinal) {
  FakeDisk disk;
  Journal journal(disk, {});
  journal.add("stored");
  const Position through = journal.writer->durable_through();
  journal.append("first");
  journal.writer->commit();
  journal.append("second");
  journal.writer->commit();
  journal.append("third");
  journal.ring.fail(0, EIO);
  ASSERT_TRUE(journal.failed);
  EXPECT_EQ(journal.failed->code, Errc::io_failed);
  EXPECT_EQ(journal.failed->detail, EIO);
  EXPECT_EQ(journal.failed->side, Side::disk);
  EXPECT_FALSE(journal.writer->idle());  // The other write is still the kernel's.
  journal.ring.finish(0);
  EXPECT_TRUE(journal.writer->idle());
  EXPECT_EQ(journal.writer->durable_through(), through);
  EXPECT_EQ(journal.counters.value(Counter::storage_failed), 1u);
  journal.writer->commit();
  EXPECT_EQ(journal.ring.writes_started(), 3u);  // Never again.
  EXPECT_EQ(journal.writer->append(RecordType::event, payload(1)).error().code, Errc::io_failed);
  EXPECT_EQ(journal.writer->append(RecordType::outcome, payload(1)).error().code, Errc::io_failed);
  EXPECT_EQ(journal.writer->admit(1, 1).error().code, Errc::io_failed);
}

// Goal: the later of two writes fails, the earlier one is still under way: it is not reported
// after the failure either, so that nothing is acknowledged from a storage that failed.
TEST(Writer, NothingIsDurableAfterAFailure) {
  FakeDisk disk;
  Journal journal(disk, {});
  journal.append("first");
  journal.writer->commit();
  journal.append("second");
  journal.writer->commit();
  journal.ring.fail(1, ENOSPC);
  EXPECT_EQ(journal.failed->code, Errc::io_failed);
  EXPECT_EQ(journal.failed->detail, ENOSPC);
  journal.ring.finish(0);
  EXPECT_TRUE(journal.durable.empty());
  EXPECT_TRUE(journal.writer->idle());
}

TEST(Writer, FailedFooterIsAStorageFailure) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 64 * 1024, .prepared = 2, .more_segments = false});
  for (int index = 0; index < 5; ++index) {
    ASSERT_TRUE(journal.writer->append(RecordType::outcome, payload(15'000)));
  }
  journal.writer->commit();
  while (journal.ring.writes().front().offset != 64 * 1024 - page_bytes) journal.ring.finish();
  journal.ring.fail(0, EIO);
  EXPECT_TRUE(journal.failed);
  EXPECT_TRUE(journal.sealed.empty());
  EXPECT_TRUE(journal.writer->idle());
}

TEST(Writer, AppendFromInsideOnDurable) {
  FakeDisk disk;
  struct Chatty final : WriterEvents {
    Writer* writer = nullptr;
    int left = 5;
    void on_durable(Position) override {
      if (left-- == 0) return;
      EXPECT_TRUE(writer->append(RecordType::event, make_event("next")->record()));
      writer->commit();
    }
    void on_segment_wanted() override {}
    void on_segment_sealed(uint32_t) override {}
    void on_storage_failed(const Error&) override {}
  } chatty;
  Journal journal(disk, {});
  Writer writer(journal.ring, journal.counters, chatty, {.directory_id = test::directory_id});
  chatty.writer = &writer;
  writer.provide(journal.segments[0]);
  ASSERT_TRUE(writer.append(RecordType::event, make_event("start")->record()));
  writer.commit();
  journal.ring.finish_all();
  EXPECT_EQ(journal.ring.writes_started(), 6u);
  EXPECT_TRUE(writer.idle());
}

}  // namespace
}  // namespace ringpost::journal
