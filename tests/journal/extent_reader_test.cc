#include "journal/extent_reader.h"

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

/// A journal and a reader of it, whose files the test opens at once.
class ExtentReaderTest : public testing::Test, public ExtentEvents {
 protected:
  using Answers = std::map<uint64_t, ExtentReader::Answer>;

  void on_file_wanted(uint16_t journal, uint32_t segment) override {
    wanted_.emplace_back(journal, segment);
  }
  void on_file_unused(io::File file) override { disk_.close(file); }

  void open_files() {
    for (const auto& [journal, segment] : std::exchange(wanted_, {})) {
      ++opened_;
      reader_.on_file(journal, segment, open_segment(disk_, data_directory, journal, segment));
    }
  }
  /// Does whatever can be done.
  Answers settle() {
    Answers answers;
    for (;;) {
      open_files();
      ExtentReader::Answer answer;
      while (reader_.next_answer(answer)) answers[answer.ticket] = answer;
      if (!reads_.reads().empty()) {
        ++read_;
        reads_.finish_read();
      } else if (wanted_.empty() && !reader_.has_answers()) {
        return answers;
      }
    }
  }
  ExtentReader::Answer read(Position position) {
    reader_.want(position, 1);
    auto answers = settle();
    EXPECT_EQ(answers.size(), 1u);
    return answers[1];
  }

  FakeDisk disk_;
  Journal journal_{disk_, {.segment_bytes = 1024 * 1024}};
  test::FakeRing reads_{disk_};  // Beside the writer's, which ends its writes by itself.
  ExtentReader reader_{reads_,
                       *this,
                       {.directory_id = directory_id,
                        .extent_bytes = 64 * 1024,
                        .extents_max = 3,
                        .files_max = 2,
                        .reads_max = 2}};
  std::vector<std::pair<uint16_t, uint32_t>> wanted_;
  size_t opened_ = 0;
  size_t read_ = 0;
};

// A page of the journal is read once for all that it holds.
TEST_F(ExtentReaderTest, ReadsOnceWhatLiesTogether) {
  std::vector<Position> positions;
  for (int index = 0; index < 100; ++index)
    positions.push_back(journal_.append(std::to_string(index)));
  journal_.flush();
  for (uint64_t index = 0; index < positions.size(); ++index) reader_.want(positions[index], index);
  const Answers answers = settle();
  ASSERT_EQ(answers.size(), 100u);
  for (const auto& [ticket, answer] : answers) {
    ASSERT_TRUE(answer.event);
    EXPECT_EQ(answer.event->view().id, std::to_string(ticket));
    EXPECT_EQ(answer.event->position(), positions[ticket]);
  }
  EXPECT_EQ(read_, 1u);
  EXPECT_EQ(opened_, 1u);
  for (const Position position : positions) EXPECT_TRUE(reader_.at_hand(position));
  EXPECT_TRUE(reads_.reads().empty());
}

TEST_F(ExtentReaderTest, HasNothingAtHandThatItHasNotRead) {
  const Position position = journal_.add("one");
  EXPECT_FALSE(reader_.at_hand(position));
  reader_.want(position, 1);
  open_files();
  EXPECT_FALSE(reader_.at_hand(position));  // It is being read.
  EXPECT_EQ(settle().size(), 1u);
  EXPECT_TRUE(reader_.at_hand(position));
}

TEST_F(ExtentReaderTest, ReadsEventsLargerThanAnExtentAndAcrossItsEnd) {
  std::map<std::string, Position> positions;
  positions["small"] = journal_.append("small");
  positions["huge"] = journal_.append("huge", 300'000);
  positions["across"] = journal_.append("across", 50'000);
  positions["behind"] = journal_.append("behind", 50'000);
  journal_.flush();
  for (const auto& [name, position] : positions) {
    const auto answer = read(position);
    ASSERT_TRUE(answer.event) << name;
    EXPECT_EQ(answer.event->view().id, name);
  }
  EXPECT_EQ(as_text(read(positions["huge"]).event->record()),
            as_text(make_event("huge", 300'000)->record()));
}

// A large event to many webhooks is read once, and is in memory once.
TEST_F(ExtentReaderTest, GivesAllThatWaitForAnEventTheSameOne) {
  const Position huge = journal_.append("huge", 300'000);
  const Position small = journal_.append("small");
  journal_.flush();
  for (uint64_t ticket = 1; ticket <= 50; ++ticket)
    reader_.want(ticket % 2 == 0 ? huge : small, ticket);
  const Answers answers = settle();
  ASSERT_EQ(answers.size(), 50u);
  for (const auto& [ticket, answer] : answers) {
    ASSERT_TRUE(answer.event);
    EXPECT_EQ(&*answer.event, &*answers.at(ticket % 2 == 0 ? 2 : 1).event);
  }
  EXPECT_LE(read_, 3u);
  EXPECT_TRUE(reader_.at_hand(huge));
}

// What is not written yet is read as zeros, and may be there the next time.
TEST_F(ExtentReaderTest, SeesWhatWasWrittenAfterItRead) {
  const Position first = journal_.add("first");
  ASSERT_TRUE(read(first).event);
  const Position second = journal_.add("second");
  EXPECT_FALSE(reader_.at_hand(second));
  const auto answer = read(second);
  ASSERT_TRUE(answer.event);
  EXPECT_EQ(answer.event->view().id, "second");
  EXPECT_EQ(opened_, 1u);  // The file is still the right one.
}

TEST_F(ExtentReaderTest, NeedsNoMoreMemoryThanItsExtentsAndGivesItBack) {
  std::vector<Position> positions;
  for (int index = 0; index < 200; ++index) {
    positions.push_back(journal_.add(std::to_string(index), 20'000));
  }
  for (uint64_t index = 0; index < positions.size(); ++index) reader_.want(positions[index], index);
  open_files();
  EXPECT_LE(reads_.reads().size(), 2u);
  const Answers answers = settle();
  EXPECT_EQ(answers.size(), 200u);
  for (const auto& [ticket, answer] : answers) EXPECT_TRUE(answer.event) << ticket;
  EXPECT_LE(reader_.bytes(), 3u * 64 * 1024);
  EXPECT_TRUE(reader_.idle());
}

TEST_F(ExtentReaderTest, KeepsFewFilesOpen) {
  std::vector<Position> positions;
  for (int index = 0; journal_.sealed.size() < 6; ++index) {
    positions.push_back(journal_.add(std::to_string(index), 100'000));
  }
  const size_t before = disk_.open_count();
  for (const Position position : positions) {
    ASSERT_TRUE(read(position).event);
    EXPECT_LE(disk_.open_count(), before + 2);
  }
}

TEST_F(ExtentReaderTest, WrongPositionsAreErrors) {
  const Position event = journal_.add("one");
  const Position outcome = journal_.add_outcome(event);
  EXPECT_EQ(read(outcome).error.code, Errc::corrupt);
  EXPECT_EQ(read({}).error.code, Errc::not_found);
  EXPECT_EQ(read(Position::make(0, 99, 4128)).error.code, Errc::not_found);
  EXPECT_EQ(read(Position::make(9, 1, 4128)).error.code, Errc::not_found);
  EXPECT_EQ(read(Position::make(0, 1, 16)).error.code, Errc::not_found);
  EXPECT_EQ(read(Position::make(0, 1, event.offset() + 4)).error.code, Errc::not_found);
  EXPECT_EQ(read(Position::make(0, 1, event.offset() + 8)).error.code, Errc::corrupt);
  EXPECT_EQ(read(Position::make(0, 1, 1024 * 1024 - 8)).error.code, Errc::corrupt);
  EXPECT_EQ(read(Position::make(0, 1, 200 * 1024 * 1024)).error.code, Errc::corrupt);
  EXPECT_TRUE(read(event).event);
}

// Goal: no flipped bit of a record is delivered. Method: flip each bit of it in turn.
TEST_F(ExtentReaderTest, NoticesEveryFlippedBit) {
  const Position position = journal_.add("one", 40);
  const size_t bits = record_span(make_event("one", 40)->record().size()) * 8;
  auto& bytes = disk_.contents(segment(1));
  for (size_t bit = 0; bit < bits; ++bit) {
    std::byte& byte = bytes[position.offset() + bit / 8];
    byte ^= std::byte(1 << bit % 8);
    const auto answer = read(position);
    ASSERT_FALSE(answer.event) << bit;
    ASSERT_EQ(answer.error.code, Errc::corrupt);
    byte ^= std::byte(1 << bit % 8);
  }
  EXPECT_TRUE(read(position).event);
}

TEST_F(ExtentReaderTest, ReusedFileIsGoneNotDamaged) {
  const Position old = journal_.add("old");
  ASSERT_TRUE(read(old).event);  // Its file is now held open.
  while (journal_.sealed.size() < 2) journal_.add("filler", 90'000);
  ASSERT_TRUE(journal_.keeper.expire(0, 2));
  journal_.prepare();
  const uint32_t reused = journal_.segments.back().number;
  while (journal_.sealed.back() < reused) journal_.add("filler", 90'000);
  const auto other = read(Position::make(0, reused, 4128));  // Nothing of the old one is cached.
  EXPECT_EQ(other.error.code, Errc{});
  for (uint32_t number = 3; number <= reused; ++number) read(Position::make(0, number, 4128));
  EXPECT_EQ(read(old).error.code, Errc::not_found);
}

TEST_F(ExtentReaderTest, FailedCallsAreErrorsOfThoseThatWait) {
  const Position position = journal_.add("one");
  disk_.fault = [](const std::string& call, const std::string&) {
    return call == "open_journal" ? EMFILE : 0;
  };
  EXPECT_EQ(read(position).error.code, Errc::overloaded);
  disk_.fault = nullptr;
  reader_.want(position, 1);
  reader_.want(position, 2);
  open_files();
  reads_.fail_read(EIO);
  Answers answers = settle();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].error.code, Errc::io_failed);
  EXPECT_EQ(answers[2].error.code, Errc::io_failed);
  EXPECT_TRUE(read(position).event);
}

}  // namespace
}  // namespace ringpost::journal
