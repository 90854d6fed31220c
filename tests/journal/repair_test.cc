#include "journal/repair.h"

#include "base/prng.h"
#include "harness.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringpost::journal {
namespace {

using test::FakeDisk;
using test::Journal;
using test::recover_all;
using test::segment;
using test::Told;

struct Kept final : RecordSink {
  Result<void> on_record(const ScannedRecord& record) override {
    offsets.push_back(record.offset);
    return {};
  }
  std::vector<uint32_t> offsets;
};

/// Three full segments and part of a fourth.
void write_segments(FakeDisk& disk, uint64_t seed) {
  Journal journal(disk, {.segment_bytes = 256 * 1024});
  Prng random(seed);
  for (int index = 0; journal.sealed.size() < 3; ++index) {
    const auto event =
        journal.append("event " + std::to_string(index),
                       random.chance(1, 20) ? random.below(40'000) : random.below(1500));
    if (random.chance(1, 4)) journal.flush();
    if (random.chance(1, 3)) journal.add_outcome(event);
  }
  journal.flush();
}

SegmentHeader header_of(FakeDisk& disk, uint32_t number) {
  return *read_segment_header(Bytes{disk.contents(segment(number))}.first(page_bytes));
}

class RepairTest : public ::testing::Test {
 protected:
  RepairTest() { write_segments(whole, 5); }

  /// Of segment 2 in `damaged`. Its header is what it was.
  Result<RepairedSegment> repair() {
    const SegmentHeader header = header_of(whole, 2);
    const auto& bytes = damaged.contents(segment(2));
    ScanRequest request{
        .generation = {test::directory_id, 0, 2}, .file_bytes = bytes.size(), .size = header.size};
    if (bytes.size() >= header.size) {
      const uint32_t at = header.size - page_bytes;
      request.footer =
          read_segment_footer(request.generation, at, Bytes{bytes}.subspan(at, page_bytes));
    }
    const bool has_header = bytes.size() >= page_bytes &&
                            read_segment_header(Bytes{bytes}.first(page_bytes)).has_value();
    const auto file = damaged.open(segment(2), io::Disk::OpenMode::read);
    FileInput input(damaged, *file);
    kept = {};
    auto repaired = repair_segment(input, request, header, has_header && request.footer, kept);
    damaged.close(*file);
    return repaired;
  }

  /// Damages segment 2, repairs it, and compares what a start finds before and behind that.
  void check(const std::string& what) {
    SCOPED_TRACE(what);
    Told before;
    ASSERT_TRUE(recover_all(damaged, before, true));
    const auto repaired = repair();
    ASSERT_TRUE(repaired);
    EXPECT_FALSE(repaired->was_sound);
    damaged.contents(segment(2)) = repaired->file;
    Told after;
    ASSERT_TRUE(recover_all(damaged, after));
    EXPECT_EQ(after.findings.size(), 0u) << describe(after.findings[0]);
    ASSERT_EQ(after.events, before.events);
    ASSERT_EQ(after.outcomes, before.outcomes);
    ASSERT_EQ(after.records, before.records);
    const auto again = repair();
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->was_sound);
    const auto in_segment = [](const auto& record) { return record.first.segment() == 2; };
    EXPECT_EQ(static_cast<ptrdiff_t>(repaired->records_kept),
              std::ranges::count_if(after.events, in_segment) +
                  std::ranges::count_if(after.outcomes, in_segment));
  }

  std::vector<std::byte>& bytes() { return damaged.contents(segment(2)); }
  void begin_anew() { damaged.copy_from(whole); }

  FakeDisk whole;
  FakeDisk damaged;
  Kept kept;
};

TEST_F(RepairTest, LeavesASoundSegmentAlone) {
  begin_anew();
  const auto repaired = repair();
  ASSERT_TRUE(repaired);
  EXPECT_TRUE(repaired->was_sound);
}

TEST_F(RepairTest, KeepsEveryRecordButTheOneWithAFlippedBit) {
  begin_anew();
  ASSERT_TRUE(repair());
  const std::vector<uint32_t> all = kept.offsets;
  const uint32_t hit = all[all.size() / 2];
  bytes()[hit + 30] ^= std::byte{4};
  const auto repaired = repair();
  ASSERT_TRUE(repaired);
  EXPECT_EQ(repaired->records_kept, all.size() - 1);
  EXPECT_EQ(repaired->found.records_lost, 1u);
  ASSERT_EQ(repaired->found.damaged.size(), 1u);
  EXPECT_EQ(repaired->found.damaged[0].begin, hit);
  std::vector<uint32_t> rest = all;
  std::erase(rest, hit);
  EXPECT_EQ(kept.offsets, rest);
  check("flipped bit");
}

TEST_F(RepairTest, KeepsWhatIsAroundZeroedPages) {
  for (const uint32_t pages : {1, 5, 40}) {
    begin_anew();
    std::fill_n(bytes().begin() + 8 * page_bytes, pages * page_bytes, std::byte{});
    check(std::to_string(pages) + " pages");
  }
}

TEST_F(RepairTest, KeepsTheBeginningOfAFileThatWasCut) {
  for (const size_t size : {200'000, 100'001, 9000, 4096}) {
    begin_anew();
    bytes().resize(size);
    check(std::to_string(size) + " bytes");
  }
}

TEST_F(RepairTest, WritesAHeaderAndAFooterThatWereWrong) {
  begin_anew();
  std::fill_n(bytes().begin(), page_bytes, std::byte{0x5a});
  check("header");
  begin_anew();
  std::fill_n(bytes().end() - page_bytes, page_bytes, std::byte{0x5a});
  check("footer");
}

TEST_F(RepairTest, MakesAnEmptySegmentOfNothing) {
  begin_anew();
  std::ranges::fill(bytes(), std::byte{});
  check("nothing is left");
  EXPECT_TRUE(kept.offsets.empty());
}

// Goal: whatever the damage, a start takes the repaired segment without a word, and finds in it
// what it found in the damaged one.
TEST_F(RepairTest, AnyDamageIsRepaired) {
  Prng random(7);
  for (int round = 0; round < 100 && !HasFailure(); ++round) {
    begin_anew();
    const auto at = [&](size_t size) { return random.below(size); };
    for (uint64_t wounds = random.between(1, 6); wounds > 0; --wounds) {
      if (bytes().empty()) break;
      const size_t begin = at(bytes().size());
      const size_t end = std::min(bytes().size(), begin + at(random.chance(1, 4) ? 90'000 : 3000));
      switch (random.below(6)) {
        case 0: bytes()[begin] ^= std::byte(1 << random.below(8)); break;
        case 1:
          std::fill(bytes().begin() + static_cast<ptrdiff_t>(begin),
                    bytes().begin() + static_cast<ptrdiff_t>(end), std::byte{});
          break;
        case 2:
          for (size_t place = begin; place < end; ++place) bytes()[place] = std::byte(at(256));
          break;
        case 3:
          if (random.chance(1, 4)) bytes().resize(begin);
          break;
        case 4: {  // Bytes of another place.
          const size_t from = at(bytes().size() - (end - begin));
          std::copy_n(std::vector<std::byte>(bytes()).begin() + static_cast<ptrdiff_t>(from),
                      end - begin, bytes().begin() + static_cast<ptrdiff_t>(begin));
          break;
        }
        default: {  // Bytes of another segment.
          const auto& other = whole.contents(segment(1));
          std::copy_n(other.begin() + static_cast<ptrdiff_t>(begin), end - begin,
                      bytes().begin() + static_cast<ptrdiff_t>(begin));
        }
      }
    }
    if (bytes() == whole.contents(segment(2))) continue;
    const auto repaired = repair();
    ASSERT_TRUE(repaired);
    if (!repaired->was_sound) check("round " + std::to_string(round));
  }
}

}  // namespace
}  // namespace ringpost::journal
