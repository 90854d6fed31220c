#include "journal/reader.h"

#include "harness.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace ringpost::journal {
namespace {

using test::data_directory;
using test::directory_id;
using test::FakeDisk;
using test::Journal;
using test::make_event;
using test::segment;

TEST(Reader, ReadsWhatWasWritten) {
  FakeDisk disk;
  Journal journal(disk, {});
  const Position small = journal.add("small");
  const Position huge = journal.add("huge", 2'000'000);
  const Position outcome = journal.add_outcome(small);
  Reader reader(disk, data_directory, directory_id);
  for (int round = 0; round < 2; ++round) {
    const auto event = reader.read_event(small);
    ASSERT_TRUE(event);
    EXPECT_EQ((*event)->view().id, "small");
    EXPECT_EQ((*event)->position(), small);
    const auto big = reader.read_event(huge);
    ASSERT_TRUE(big);
    EXPECT_EQ(as_text((*big)->record()), as_text(make_event("huge", 2'000'000)->record()));
    const auto told = reader.read_outcome(outcome);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->view.event, small);
    EXPECT_EQ(told->view.http_status, 204);
  }
}

TEST(Reader, GivesOutcomesTheirTextsThatAreChangesToOthers) {
  FakeDisk disk;
  Journal journal(disk, {});
  const Position event = journal.add("one");
  OutcomeView outcome{.event = event, .attempt = 1, .status = DeliveryStatus::delivered};
  outcome.request_head = "POST /a HTTP/1.1\r\nid: 1\r\n\r\n";
  outcome.response_head = "HTTP/1.1 200 OK\r\n\r\n";
  const auto add = [&](const OutcomeBase& base) {
    std::vector<std::byte> record;
    encode_outcome(outcome, record, base);
    const auto position = journal.writer->append(RecordType::outcome, record);
    journal.flush();
    return *position;
  };
  const Position first = add({});
  const std::string texts = outcome_texts(outcome);
  outcome.request_head = "POST /a HTTP/1.1\r\nid: 2\r\n\r\n";
  const Position second = add({.offset = first.offset(), .texts = texts});
  const Position broken = add({.offset = event.offset(), .texts = texts});
  const Position ahead = add({.offset = broken.offset() + 4096, .texts = texts});
  Reader reader(disk, data_directory, directory_id);
  const auto read = reader.read_outcome(second);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->view.request_head, outcome.request_head);
  EXPECT_EQ(read->view.response_head, outcome.response_head);
  EXPECT_EQ(reader.read_outcome(broken).error().code, Errc::corrupt);  // Its base is an event.
  EXPECT_EQ(reader.read_outcome(ahead).error().code, Errc::corrupt);
  disk.contents(segment(1))[first.offset() + 80] ^= std::byte{1};
  EXPECT_EQ(reader.read_outcome(second).error().code, Errc::corrupt);
}

/// However little is read at a time, and from wherever it goes on.
TEST(Reader, GoesThroughTheOutcomesOfASegment) {
  FakeDisk disk;
  Journal journal(disk, {});
  std::vector<Position> outcomes;
  for (int block = 0; block < 20; ++block) {
    const Position event = journal.add("event", block % 5 == 0 ? 100'000 : 10);
    for (int one = 0; one < block % 4; ++one) outcomes.push_back(journal.add_outcome(event));
  }
  const auto pass = [&](Position from, Position through, uint32_t bytes_max) {
    Reader reader(disk, data_directory, directory_id);
    std::vector<Position> found;
    for (bool at_end = false; !at_end;) {
      const auto passage =
          reader.pass_outcomes(from, through, bytes_max, [&](const OutcomeView& view, Position at) {
            EXPECT_EQ(view.http_status, 204);
            found.push_back(at);
            return found.size() % 3 != 0;
          });
      EXPECT_TRUE(passage);
      if (!passage) break;
      EXPECT_TRUE(passage->at_end || passage->reached > from);
      from = passage->reached;
      at_end = passage->at_end;
    }
    return found;
  };
  const Position begin = Position::make(outcomes[0].journal(), 1, 0);
  for (const uint32_t bytes_max : {1u, 70'000u, 1u << 30}) {
    EXPECT_EQ(pass(begin, outcomes.back(), bytes_max), outcomes);
  }
  EXPECT_EQ(pass(outcomes[4], outcomes[9], 1),
            std::vector(outcomes.begin() + 5, outcomes.begin() + 10));
  EXPECT_EQ(pass(outcomes.back(), outcomes.back(), 1), std::vector<Position>{});

  // One that is damaged costs itself.
  disk.contents(segment(1))[outcomes[7].offset() + 20] ^= std::byte{1};
  std::vector<Position> rest = outcomes;
  rest.erase(rest.begin() + 7);
  EXPECT_EQ(pass(begin, outcomes.back(), 1), rest);
}

TEST(Reader, GoesThroughTheEventsOfASegment) {
  FakeDisk disk;
  Journal journal(disk, {});
  std::vector<Position> events;
  for (int number = 0; number < 12; ++number) {
    events.push_back(journal.add("event", number % 5 == 0 ? 100'000 : 10));
    journal.add_outcome(events.back());
  }
  const auto pass = [&](Position from, Position through) {
    Reader reader(disk, data_directory, directory_id);
    std::vector<Position> found;
    for (bool at_end = false; !at_end;) {
      const auto passage =
          reader.pass_events(from, through, 70'000, [&](const EventView& event, Position position) {
            EXPECT_EQ(event.id, "event");
            found.push_back(position);
            return found.size() % 3 != 0;
          });
      EXPECT_TRUE(passage);
      if (!passage) break;
      from = passage->reached;
      at_end = passage->at_end;
    }
    return found;
  };
  EXPECT_EQ(pass(Position::make(events[0].journal(), 1, 0), events.back()), events);
  EXPECT_EQ(pass(events[3], events[7]), std::vector(events.begin() + 4, events.begin() + 8));
  disk.contents(segment(1))[events[5].offset() + 20] ^= std::byte{1};
  EXPECT_EQ(pass(events[4], events[6]), std::vector{events[6]});  // What is damaged is passed over.
}

TEST(Reader, WrongPositionsAreErrors) {
  FakeDisk disk;
  Journal journal(disk, {});
  const Position event = journal.add("one");
  Reader reader(disk, data_directory, directory_id);
  EXPECT_EQ(reader.read_outcome(event).error().code, Errc::corrupt);
  EXPECT_EQ(reader.read_event({}).error().code, Errc::not_found);
  EXPECT_EQ(reader.read_event(Position::make(0, 99, 4128)).error().code, Errc::not_found);
  EXPECT_EQ(reader.read_event(Position::make(9, 1, 4128)).error().code, Errc::not_found);
  EXPECT_EQ(reader.read_event(Position::make(0, 1, 16)).error().code, Errc::not_found);
  EXPECT_EQ(reader.read_event(Position::make(0, 1, event.offset() + 4)).error().code,
            Errc::not_found);
  EXPECT_EQ(reader.read_event(Position::make(0, 1, event.offset() + 8)).error().code,
            Errc::corrupt);
  EXPECT_EQ(reader.read_event(Position::make(0, 1, 4 * 1024 * 1024 - 8)).error().code,
            Errc::corrupt);
  EXPECT_EQ(reader.read_event(Position::make(0, 1, 200 * 1024 * 1024)).error().code, Errc::corrupt);
}

// Goal: no flipped bit of a record is delivered. Method: flip each bit of it in turn.
TEST(Reader, NoticesEveryFlippedBit) {
  FakeDisk disk;
  Journal journal(disk, {});
  const Position position = journal.add("one", 40);
  Reader reader(disk, data_directory, directory_id);
  const size_t bits = record_span(make_event("one", 40)->record().size()) * 8;
  auto& bytes = disk.contents(segment(1));
  for (size_t bit = 0; bit < bits; ++bit) {
    std::byte& byte = bytes[position.offset() + bit / 8];
    byte ^= std::byte(1 << bit % 8);
    const auto event = reader.read_event(position);
    ASSERT_FALSE(event) << bit;
    ASSERT_EQ(event.error().code, Errc::corrupt);
    byte ^= std::byte(1 << bit % 8);
  }
  EXPECT_TRUE(reader.read_event(position));
}

TEST(Reader, ReusedFileIsGoneNotDamaged) {
  FakeDisk disk;
  Journal journal(disk, {.segment_bytes = 64 * 1024});
  const Position old = journal.add("old");
  Reader reader(disk, data_directory, directory_id);
  ASSERT_TRUE(reader.read_event(old));  // Its file is now held open.
  EXPECT_EQ(*reader.created_at(0, 1), from_unix_ns(1));
  while (journal.sealed.size() < 2) journal.add("filler", 9000);
  ASSERT_TRUE(journal.keeper.expire(0, 2));
  journal.prepare();
  EXPECT_FALSE(disk.exists(segment(1)));
  ASSERT_TRUE(reader.read_event(old));  // Its bytes are still there, and still what they were.
  const uint32_t reused = journal.segments.back().number;
  while (journal.sealed.back() < reused) journal.add("filler", 9000);
  EXPECT_EQ(reader.read_event(old).error().code, Errc::not_found);
  EXPECT_EQ(reader.created_at(0, 1).error().code, Errc::not_found);
  EXPECT_EQ(*reader.created_at(0, reused), from_unix_ns(1));
  disk.contents(segment(reused))[9] ^= std::byte{1};
  EXPECT_FALSE(reader.created_at(0, reused));
}

TEST(Reader, KeepsFewFilesOpen) {
  FakeDisk disk;
  std::vector<Position> positions;
  {
    Journal journal(disk, {.segment_bytes = 64 * 1024});
    for (int index = 0; journal.sealed.size() < 20; ++index) {
      positions.push_back(journal.add(std::to_string(index), 9000));
    }
  }
  {
    const size_t before = disk.open_count();
    Reader reader(disk, data_directory, directory_id);
    for (const Position position : positions) ASSERT_TRUE(reader.read_event(position));
    EXPECT_LE(disk.open_count(), before + Reader::files_max);
  }
  EXPECT_EQ(disk.open_count(), 0u);
}

TEST(Reader, FailedCallsAreErrors) {
  FakeDisk disk;
  Journal journal(disk, {});
  const Position position = journal.add("one");
  Reader reader(disk, data_directory, directory_id);
  for (const std::string failing : {"open_journal", "size", "read_at"}) {
    disk.fault = [&](const std::string& call, const std::string&) {
      return call == failing ? EIO : 0;
    };
    EXPECT_EQ(reader.read_event(position).error().code, Errc::io_failed) << failing;
  }
  disk.fault = nullptr;
  EXPECT_TRUE(reader.read_event(position));
}

}  // namespace
}  // namespace ringpost::journal
