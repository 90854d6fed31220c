#include "base/prng.h"
#include "harness.h"
#include "journal/segment_scan.h"

#include <gtest/gtest.h>

#include <set>

namespace ringpost::journal {
namespace {

using test::FakeDisk;
using test::Journal;
using test::recover_all;
using test::segment;
using test::Told;

struct Written {
  FakeDisk disk;
  std::map<std::string, Position> positions;
  std::map<std::string, std::vector<std::byte>> records;
};

/// Three full segments and part of a fourth, with records and blocks of many sizes.
void write_journal(Written& written, uint64_t seed) {
  Journal journal(written.disk, {.segment_bytes = 256 * 1024});
  Prng random(seed);
  for (int index = 0; journal.sealed.size() < 3; ++index) {
    const std::string name = "event " + std::to_string(index);
    const size_t size = random.chance(1, 20) ? random.below(40'000) : random.below(1500);
    written.positions[name] = journal.append(name, size);
    const auto event = test::make_event(name, size);
    written.records[name] = {event->record().begin(), event->record().end()};
    if (random.chance(1, 4)) journal.flush();
  }
  journal.flush();
}

// Goal (D-7): of 1,000 flipped bits in sealed segments none goes unnoticed, no altered byte is
// delivered, only the record that was hit is lost, and the finding names its place.
TEST(Damage, FlippedBitCostsItsRecordAtMostAndIsNamed) {
  Written written;
  write_journal(written, 1);
  Prng random(99);
  FakeDisk copy;
  copy.copy_from(written.disk);
  for (int round = 0; round < 1000; ++round) {
    const auto number = static_cast<uint32_t>(random.between(1, 3));
    auto& bytes = copy.contents(segment(number));
    const auto footer =
        read_segment_footer({test::directory_id, 0, number}, 252 * 1024,
                            Bytes{written.disk.contents(segment(number))}.last(4096));
    ASSERT_TRUE(footer);
    // Behind the last block, up to the footer, nothing was ever written.
    uint64_t offset = random.below(footer->end + 4096);
    if (offset >= footer->end) offset += bytes.size() - 4096 - footer->end;
    const auto bit = std::byte(1 << random.below(8));
    bytes[offset] ^= bit;

    Told told;
    const auto report = recover_all(copy, told);
    ASSERT_TRUE(report) << offset;
    const auto damage = told.of_kind(Finding::Kind::damage);
    ASSERT_EQ(damage.size(), 1u) << "segment " << number << " offset " << offset;
    EXPECT_EQ(told.findings.size(), 1u);
    EXPECT_EQ(damage[0].path, segment(number));
    EXPECT_LE(damage[0].offset, offset);
    EXPECT_GT(damage[0].offset + damage[0].bytes, offset);
    EXPECT_GE(told.events.size() + 1, written.records.size()) << offset;
    EXPECT_EQ(report->records_lost, written.records.size() - told.events.size());
    for (const auto& [position, id] : told.events) {
      ASSERT_EQ(position, written.positions.at(id));
      ASSERT_EQ(told.records.at(id), written.records.at(id)) << id;
    }
    bytes[offset] ^= bit;
  }
}

// Goal: larger damage too costs only what it covers. Method: overwrite a random range.
TEST(Damage, OverwrittenRangeCostsWhatItCovers) {
  Written written;
  write_journal(written, 2);
  Prng random(100);
  for (int round = 0; round < 200; ++round) {
    FakeDisk copy;
    copy.copy_from(written.disk);
    const auto number = static_cast<uint32_t>(random.between(1, 3));
    auto& bytes = copy.contents(segment(number));
    const uint64_t begin = 4096 + random.below(200 * 1024);
    const uint64_t end = std::min<uint64_t>(252 * 1024, begin + 1 + random.below(20'000));
    for (uint64_t at = begin; at < end; ++at) bytes[at] = std::byte(random.below(256));
    Told told;
    const auto report = recover_all(copy, told);
    ASSERT_TRUE(report);
    std::set<std::string> seen;
    for (const auto& [position, id] : told.events) {
      ASSERT_EQ(told.records.at(id), written.records.at(id)) << id;
      seen.insert(id);
    }
    for (const auto& [id, position] : written.positions) {
      const uint64_t from = position.offset();
      const uint64_t to = from + record_span(written.records.at(id).size());
      const bool covered = position.segment() == number && from < end && to > begin;
      EXPECT_EQ(seen.contains(id), !covered) << id << " round " << round;
    }
  }
}

// Goal: after an orderly stop the newest segment is as sure as any: a flipped bit in its last
// records is damage, not a write that was cut short.
TEST(Damage, SealedEndIsNotTakenForATornTail) {
  FakeDisk disk;
  std::vector<Position> positions;
  {
    test::Journal journal(disk, {.segment_bytes = 256 * 1024});
    for (int index = 0; index < 5; ++index) {
      positions.push_back(journal.add("e" + std::to_string(index)));
    }
    journal.writer->seal();
    journal.flush();
    EXPECT_EQ(journal.sealed, std::vector<uint32_t>{1});
    EXPECT_FALSE(journal.writer->append(RecordType::outcome, as_bytes("late"), Claim::end));
  }
  Told whole;
  ASSERT_TRUE(recover_all(disk, whole));
  EXPECT_EQ(whole.events.size(), 5u);
  EXPECT_TRUE(whole.findings.empty());
  disk.contents(segment(1))[positions.back().offset() + 40] ^= std::byte{4};
  Told told;
  ASSERT_TRUE(recover_all(disk, told));
  EXPECT_EQ(told.events.size(), 4u);
  EXPECT_EQ(told.of_kind(Finding::Kind::damage).size(), 1u);
  EXPECT_TRUE(told.of_kind(Finding::Kind::torn_tail).empty());
}

TEST(Damage, AnUnusedSegmentIsNotSealed) {
  FakeDisk disk;
  {
    test::Journal journal(disk, {.segment_bytes = 256 * 1024});
    journal.writer->seal();
    journal.flush();
    EXPECT_TRUE(journal.sealed.empty());
  }
  Told told;
  const auto report = recover_all(disk, told);
  ASSERT_TRUE(report);
  EXPECT_TRUE(told.findings.empty());
}

// Goal: bits flipped in the newest, unfinished segment deliver nothing altered either.
TEST(Damage, UnfinishedSegmentDeliversNothingAltered) {
  Written written;
  {
    Journal journal(written.disk, {.segment_bytes = 256 * 1024});
    for (int index = 0; index < 60; ++index) {
      const std::string name = "event " + std::to_string(index);
      written.positions[name] = journal.append(name, 700);
      const auto event = test::make_event(name, 700);
      written.records[name] = {event->record().begin(), event->record().end()};
      if (index % 5 == 4) journal.flush();
    }
  }
  const uint64_t end = written.positions["event 59"].offset() + 500;
  Prng random(101);
  for (int round = 0; round < 500; ++round) {
    auto& bytes = written.disk.contents(segment(1));
    const uint64_t offset = random.below(end);
    const auto bit = std::byte(1 << random.below(8));
    bytes[offset] ^= bit;
    Told told;
    ASSERT_TRUE(recover_all(written.disk, told));
    EXPECT_EQ(told.findings.size(), 1u) << offset;
    EXPECT_GE(told.events.size() + 1, written.records.size()) << offset;
    for (const auto& [position, id] : told.events) {
      ASSERT_EQ(told.records.at(id), written.records.at(id)) << id;
    }
    bytes[offset] ^= bit;
  }
}

class CountingSink final : public RecordSink {
 public:
  Result<void> on_record(const ScannedRecord&) override {
    ++records;
    return {};
  }
  int records = 0;
};

// Goal: a sender that fills events with what looks like headers cannot make a start slow, whatever
// is damaged. Method: a segment of nothing but headers that claim the rest of it.
TEST(Damage, SearchIsLinearWhateverTheBytesClaim) {
  constexpr uint32_t size = 4 * 1024 * 1024;
  std::vector<std::byte> bytes(size);
  for (uint32_t at = 4096; at + 32 <= size; at += 8) {
    if (at % 4096 == 0) {
      write_block_header({.sequence = 9, .payload_bytes = size - 8192 - at, .record_count = 1}, 5,
                         &bytes[at]);
      at += 24;
      continue;
    }
    store_le<uint32_t>(&bytes[at], (size - at) / 2);
    store_le<uint16_t>(&bytes[at + 6], 0x524a);
  }
  FakeDisk disk;
  disk.put("/file", bytes);
  FileInput input(disk, *disk.open("/file", io::Disk::OpenMode::read));
  CountingSink sink;
  const ScanRequest request{
      .generation = {test::directory_id, 0, 5}, .file_bytes = size, .size = size};
  const auto scan = scan_segment(input, request, sink);
  ASSERT_TRUE(scan);
  EXPECT_EQ(sink.records, 0);
  EXPECT_LT(input.bytes_read(), uint64_t{size} * 30);  // Not once for each of the 500,000 claims.
}

// Goal: no bytes make the scan read outside of what it was given (ASan watches).
TEST(Damage, SurvivesNoise) {
  FakeDisk disk;
  {
    Journal journal(disk, {.segment_bytes = 64 * 1024});
    for (int index = 0; index < 8; ++index) journal.add("event " + std::to_string(index), 2000);
  }
  const auto good = disk.contents(segment(1));
  Prng random(102);
  for (int round = 0; round < 2000; ++round) {
    auto bytes = good;
    if (random.chance(1, 4)) bytes.resize(random.below(bytes.size()));
    for (uint64_t left = random.below(40); left > 0 && !bytes.empty(); --left) {
      const uint64_t at = random.below(std::min<uint64_t>(bytes.size(), 40'000));
      bytes[at] = std::byte(random.below(256));
    }
    disk.put(segment(1), bytes);
    Told told;
    const auto report = recover_all(disk, told, true);
    if (report) {
      EXPECT_LE(told.events.size(), 8u);
    }
  }
}

}  // namespace
}  // namespace ringpost::journal
