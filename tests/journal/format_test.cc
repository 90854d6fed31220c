#include "journal/format.h"

#include "base/prng.h"
#include "harness.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace ringpost::journal {
namespace {

const Generation generation(test::directory_id, 3, 42);

SegmentHeader example_header() {
  return {.journal = 3,
          .segment = 42,
          .size = 64 * 1024,
          .directory_id = test::directory_id,
          .created_at = from_unix_ns(1'935'652'087'123'456'789),
          .previous = 41,
          .previous_kind = PreviousEnd::torn,
          .previous_end = 12'345};
}

std::vector<std::byte> page_of(const SegmentHeader& header) {
  std::vector<std::byte> page(page_bytes);
  write_segment_header(header, page);
  return page;
}

TEST(SegmentHeader, ComesBack) {
  const auto read = read_segment_header(page_of(example_header()));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, example_header());
}

// Goal: no flipped bit of the first page goes unnoticed, in the unused part neither.
TEST(SegmentHeader, NoticesEveryFlippedBit) {
  auto page = page_of(example_header());
  for (size_t bit = 0; bit < page.size() * 8; ++bit) {
    page[bit / 8] ^= std::byte(1 << bit % 8);
    ASSERT_FALSE(read_segment_header(page)) << bit;
    page[bit / 8] ^= std::byte(1 << bit % 8);
  }
}

void reseal(std::vector<std::byte>& page) {
  store_le(&page[page_bytes - 4], crc32c(0, Bytes{page}.first(page_bytes - 4)));
}

TEST(SegmentHeader, NewerVersionIsNotDamage) {
  auto page = page_of(example_header());
  store_le<uint16_t>(&page[8], 2);
  reseal(page);
  const auto read = read_segment_header(page);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::unsupported);
  EXPECT_EQ(read.error().detail, 2);
}

TEST(SegmentHeader, UnknownFeatureIsNotDamage) {
  auto page = page_of(example_header());
  store_le<uint16_t>(&page[10], 1);
  reseal(page);
  EXPECT_EQ(read_segment_header(page).error().code, Errc::unsupported);
}

// Goal: a header with a good checksum and nonsense in it is refused, not believed.
TEST(SegmentHeader, RefusesNonsense) {
  const auto refused = [](size_t at, uint32_t value) {
    auto page = page_of(example_header());
    store_le(&page[at], value);
    reseal(page);
    const auto read = read_segment_header(page);
    return !read && read.error().code == Errc::corrupt;
  };
  EXPECT_TRUE(refused(12, 256));          // Journal.
  EXPECT_TRUE(refused(12, 3 | 3 << 16));  // Kind of the previous end.
  EXPECT_TRUE(refused(16, 0));            // Segment.
  EXPECT_TRUE(refused(16, 1u << 28));
  EXPECT_TRUE(refused(20, 0));  // Size.
  EXPECT_TRUE(refused(20, 64 * 1024 + 1));
  EXPECT_TRUE(refused(20, segment_bytes_max + page_bytes));
  EXPECT_TRUE(refused(40, 42));  // Follows itself.
}

TEST(SegmentHeader, RefusesShortAndEmptyPages) {
  EXPECT_FALSE(read_segment_header({}));
  EXPECT_FALSE(read_segment_header(Bytes{page_of(example_header())}.first(page_bytes - 1)));
  EXPECT_FALSE(read_segment_header(std::vector<std::byte>(page_bytes)));
}

TEST(SegmentFooter, ComesBackAndNoticesEveryFlippedBit) {
  const SegmentFooter footer{.blocks = 5, .records = 9, .end = 40'960, .blocks_crc = 77};
  std::vector<std::byte> page(page_bytes);
  write_segment_footer(footer, generation, 61'440, page);
  EXPECT_EQ(read_segment_footer(generation, 61'440, page), footer);
  EXPECT_FALSE(read_segment_footer(generation, 65'536, page));
  EXPECT_FALSE(read_segment_footer({test::directory_id, 3, 43}, 61'440, page));
  for (size_t bit = 0; bit < page.size() * 8; ++bit) {
    page[bit / 8] ^= std::byte(1 << bit % 8);
    ASSERT_FALSE(read_segment_footer(generation, 61'440, page)) << bit;
    page[bit / 8] ^= std::byte(1 << bit % 8);
  }
}

std::vector<std::byte> record_at(uint32_t offset, std::string_view payload) {
  std::vector<std::byte> record(record_span(payload.size()));
  write_record({.payload_bytes = static_cast<uint32_t>(payload.size()), .type = 1, .ordinal = 6},
               generation, offset, as_bytes(payload), record.data());
  return record;
}

TEST(Record, ComesBackWithAnyPadding) {
  for (size_t size = 0; size < 20; ++size) {
    const std::string payload(size, 'p');
    const auto record = record_at(8224, payload);
    const auto header = peek_record_header(record, record.size());
    ASSERT_TRUE(header);
    EXPECT_EQ(header->payload_bytes, size);
    EXPECT_EQ(header->ordinal, 6u);
    EXPECT_TRUE(verify_record(*header, generation, 8224, record));
  }
}

TEST(Record, NoticesEveryFlippedBit) {
  auto record = record_at(8224, "thirteen byte");
  for (size_t bit = 0; bit < record.size() * 8; ++bit) {
    record[bit / 8] ^= std::byte(1 << bit % 8);
    const auto header = peek_record_header(record, record.size());
    ASSERT_FALSE(header && verify_record(*header, generation, 8224, record)) << bit;
    record[bit / 8] ^= std::byte(1 << bit % 8);
  }
}

// Goal: what another segment, journal, offset or directory wrote never passes here.
TEST(Record, BelongsToOnePlace) {
  const auto record = record_at(8224, "payload");
  const auto header = *peek_record_header(record, record.size());
  EXPECT_FALSE(verify_record(header, generation, 8232, record));
  EXPECT_FALSE(verify_record(header, {test::directory_id, 3, 41}, 8224, record));
  EXPECT_FALSE(verify_record(header, {test::directory_id, 4, 42}, 8224, record));
  EXPECT_FALSE(verify_record(header, {test::directory_id + 1, 3, 42}, 8224, record));
  for (uint32_t segment = 0; segment < 100'000; ++segment) {  // Exactly: a CRC tells 32 bits apart.
    ASSERT_EQ(verify_record(header, {test::directory_id, 3, segment}, 8224, record), segment == 42);
  }
}

TEST(Record, ClaimBeyondItsRoomIsNoRecord) {
  auto record = record_at(8224, "payload");
  EXPECT_FALSE(peek_record_header(record, record.size() - 1));
  store_le<uint32_t>(record.data(), 0xffffffff);
  EXPECT_FALSE(peek_record_header(record, segment_bytes_max));
  EXPECT_FALSE(peek_record_header(Bytes{record}.first(15), segment_bytes_max));
}

TEST(Names, ComeBack) {
  EXPECT_EQ(journal_name(7), "007");
  EXPECT_EQ(segment_name(42), "00000042.seg");
  EXPECT_EQ(segment_path("/d/journal", 7, 42), "/d/journal/007/00000042.seg");
  EXPECT_EQ(parse_journal_name("007"), 7);
  EXPECT_EQ(parse_segment_name("00000042.seg"), 42u);
  EXPECT_EQ(parse_segment_name(segment_name(200'000'000)), 200'000'000u);
  EXPECT_EQ(parse_unfinished_name("00000042.new"), 42u);
  EXPECT_EQ(parse_unfinished_name(unfinished_index_name(42)), std::nullopt);
  EXPECT_EQ(parse_index_name(index_name(42)), 42u);
  EXPECT_EQ(parse_index_name("00000042.idx.new"), 42u);
  EXPECT_EQ(parse_index_name("00000042.new"), std::nullopt);
  EXPECT_EQ(parse_index_name("42.idx"), std::nullopt);
}

TEST(Names, OneFileHasOneName) {
  for (const char* bad : {"7", "0007", "256", "-01", "0x1", "", "00a"}) {
    EXPECT_FALSE(parse_journal_name(bad)) << bad;
  }
  for (const char* bad : {"42.seg", "000000042.seg", "00000000.seg", "00000042.SEG", "00000042",
                          "00000042.seg.bak", "999999999.seg", "0000004x.seg", ".seg"}) {
    EXPECT_FALSE(parse_segment_name(bad)) << bad;
  }
}

// --- the worked example of src/journal/README.md -------------------------------------------------

/// The lines `00001000  52 50 …` of the page.
std::map<size_t, std::byte> bytes_of_readme(size_t* lines) {
  const char* root = std::getenv("RINGPOST_SOURCE_ROOT");
  std::ifstream readme(std::string(root != nullptr ? root : ".") + "/src/journal/README.md");
  std::map<size_t, std::byte> bytes;
  for (std::string line; std::getline(readme, line);) {
    std::istringstream words(line);
    std::string offset_text;
    words >> offset_text;
    const bool hex = offset_text.size() == 8 &&
                     offset_text.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!hex) continue;
    ++*lines;
    const size_t offset = std::stoul(offset_text, nullptr, 16);
    std::string byte;
    for (size_t index = 0; index < 16 && words >> byte; ++index) {
      bytes[offset + index] = std::byte(std::stoul(byte, nullptr, 16));
    }
  }
  return bytes;
}

// Goal: the page describes the files that we write. Method: build the segment that it shows; the
// bytes that it lists are there, and all others are zero.
TEST(Readme, WorkedExampleIsWhatWeWrite) {
  test::FakeDisk disk;
  test::Journal::Setup setup{.segment_bytes = 16 * 1024, .prepared = 0, .more_segments = false};
  setup.writer.directory_id = 0x1122334455667788;
  setup.writer.journal = 3;
  test::FakeRing ring(disk);
  const auto counters = std::make_unique<Counters>();
  struct Deaf final : WriterEvents {
    void on_durable(Position) override {}
    void on_segment_wanted() override {}
    void on_segment_sealed(uint32_t) override {}
    void on_storage_failed(const Error&) override {}
  } deaf;
  Writer writer(ring, *counters, deaf, setup.writer);
  std::vector<PreparedSegment> segments;
  for (uint32_t number : {42u, 43u}) {
    std::vector<std::byte> file(16 * 1024);
    write_segment_header({.journal = 3,
                          .segment = number,
                          .size = 16 * 1024,
                          .directory_id = setup.writer.directory_id,
                          .created_at = from_unix_ns(1'935'652'087'123'456'789),
                          .previous = number - 1},
                         MutableBytes{file}.first(page_bytes));
    disk.put(test::segment(number, 3), file);
    bool direct = false;
    segments.push_back({*disk.open_journal(test::segment(number, 3), direct), number, 16 * 1024});
    writer.provide(segments.back());
  }
  static const uint32_t webhooks[1] = {7};
  EventView event;
  event.uid = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  event.accepted_at = from_unix_ns(1'935'652'087'500'000'000);
  event.organization = "acme";
  event.id = "128";
  event.id_given = true;
  event.source = "ci";
  event.type = "done";
  event.data = as_bytes("{}");
  event.webhook_numbers = std::as_bytes(std::span{webhooks});
  ASSERT_TRUE(writer.append(RecordType::event, EventCodec::encode(event)->record()));
  writer.commit();
  ring.finish_all();
  ASSERT_TRUE(writer.append(RecordType::outcome, std::vector<std::byte>(6000),
                            Claim::end));  // The next segment.
  while (!writer.idle()) {
    writer.commit();
    ring.finish_all();
  }

  size_t lines = 0;
  const auto shown = bytes_of_readme(&lines);
  const auto& file = disk.contents(test::segment(42, 3));
  for (size_t offset = 0; offset < file.size(); ++offset) {
    const auto found = shown.find(offset);
    const std::byte expected = found != shown.end() ? found->second : std::byte{};
    ASSERT_EQ(file[offset], expected) << "offset " << std::hex << offset;
  }
  EXPECT_GT(lines, 10u);
}

}  // namespace
}  // namespace ringpost::journal
