// Goal: an index file that is not as it was written is found out, whatever is asked of it.
// Method: each page damaged in turn, each end cut off; files of another place; a newer format.

#include "index/file_part.h"

#include "samples.h"

#include <gtest/gtest.h>

namespace ringpost::index {
namespace {

using testing::DiskWithJournal;
using testing::index_file;
using testing::Sample;

class FilePartTest : public ::testing::Test {
 protected:
  FilePartTest() {
    for (uint64_t at = 0; at < 1500; ++at) {
      events_.push_back(sample_.event(1'900'000'000'000 + at, std::to_string(at), {7, 8}));
      sample_.outcome(events_.back(), 7, 1, DeliveryStatus::pending);
      if (at % 3 > 0) sample_.outcome(events_.back(), 7, 2, DeliveryStatus::delivered);
    }
    image_ = make_image(sample_.part, testing::directory_id);
    on_.disk().write_file(index_file(1), as_text(image_));
  }

  Result<std::unique_ptr<FilePart>> open() {
    return FilePart::open(files_, testing::journal_directory, testing::directory_id, 0, 1, false);
  }

  /// Reads all of it. @returns the first error.
  Result<void> read_all() {
    const auto part = open();
    if (!part) return part.error();
    std::vector<LocalDelivery> open;
    std::vector<Outcome> outcomes;
    std::vector<EventFacts> found;
    Ulid last;
    last.bytes.fill(0xff);
    for (const EventFacts& event : events_) {
      if (auto one = (*part)->event(event.uid); !one) return one.error();
    }
    for (uint32_t id = 0; id < 1500; ++id) {
      const uint32_t hash = TextHash(testing::directory_id).of("default", std::to_string(id));
      if (auto one = (*part)->events_of_id(hash, found); !one) return one;
    }
    EXPECT_EQ(found.size(), 1500u);
    const auto walk = (*part)->walk(7, last, 0xff);
    if (!walk) return walk.error();
    while (true) {
      const auto next = (*walk)->next();
      if (!next) return next.error();
      if (*next == nullptr) break;
    }
    if (auto all = (*part)->outcomes_of_segment(events_[0].position, outcomes); !all) return all;
    uint64_t counted = 0;
    const auto totals =
        (*part)->totals(std::nullopt, (*part)->hours(),
                        [&](const TotalsKey&, const Totals& one) { counted += one.events; });
    if (!totals) return totals;
    EXPECT_EQ(counted, 3000u);
    return (*part)->open_deliveries(open);
  }

  DiskWithJournal on_;
  OpenFiles files_{on_.disk()};
  Sample sample_{0, 1};
  std::vector<EventFacts> events_;
  std::vector<std::byte> image_;
};

TEST_F(FilePartTest, FindsDamageInEveryPage) {
  ASSERT_TRUE(read_all());
  for (size_t page = 0; page < image_.size() / page_bytes; ++page) {
    const uint64_t at = page * page_bytes + page * 131 % page_bytes;
    on_.disk().flip_bit(index_file(1), at, page % 8);
    const auto read = read_all();
    ASSERT_FALSE(read) << "page " << page;
    EXPECT_EQ(read.error().code, Errc::corrupt);
    on_.disk().flip_bit(index_file(1), at, page % 8);
  }
  ASSERT_TRUE(read_all());
}

TEST_F(FilePartTest, FindsThatAPageIsMissing) {
  for (size_t pages = 0; pages < image_.size() / page_bytes; ++pages) {
    on_.disk().truncate(index_file(1), pages * page_bytes);
    const auto part = open();
    ASSERT_FALSE(part) << pages;
    EXPECT_EQ(part.error().code, Errc::corrupt);
  }
}

// mmap would end the process here: pages that were there a moment ago are not.
TEST_F(FilePartTest, FindsThatAFileIsCutWhileItIsOpen) {
  const auto part = open();
  ASSERT_TRUE(part);
  ASSERT_TRUE((*part)->event(events_[0].uid));
  on_.disk().truncate(index_file(1), 5000);
  const auto event = (*part)->event(events_.back().uid);
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().code, Errc::corrupt);
}

TEST_F(FilePartTest, TakesNoPagesOfAnotherPlace) {
  const Sample other(0, 2);
  const auto image = make_image(other.part, testing::directory_id);
  on_.disk().write_file(index_file(1), as_text(image));
  EXPECT_EQ(open().error().code, Errc::corrupt);
  on_.disk().write_file(index_file(1), as_text(make_image(sample_.part, 99)));
  EXPECT_EQ(open().error().code, Errc::corrupt);
}

TEST_F(FilePartTest, RefusesAnOlderAndANewerFormat) {
  for (const int step : {-1, 1}) {
    const auto version = static_cast<uint16_t>(format_version + step);
    store_le<uint16_t>(&image_[8], version);
    PageSeal(testing::directory_id, 0, 1).seal(0, MutableBytes{image_}.first(page_bytes));
    on_.disk().write_file(index_file(1), as_text(image_));
    const auto part = open();
    ASSERT_FALSE(part);
    EXPECT_EQ(part.error().code, Errc::unsupported);
    EXPECT_EQ(part.error().detail, version);
  }
}

TEST_F(FilePartTest, KeepsFewFilesOpen) {
  std::vector<std::unique_ptr<FilePart>> parts;
  for (uint32_t segment = 2; segment < 100; ++segment) {
    Sample sample(0, segment);
    const EventFacts event = sample.event(1'900'000'000'000, "1", {7});
    on_.disk().write_file(index_file(segment),
                          as_text(make_image(sample.part, testing::directory_id)));
    auto part = FilePart::open(files_, testing::journal_directory, testing::directory_id, 0,
                               segment, false);
    ASSERT_TRUE(part);
    parts.push_back(std::move(*part));
    const auto found = parts.back()->event(event.uid);
    ASSERT_TRUE(found && *found);
  }
  EXPECT_GT(files_.memory_bytes(), 0u);
  EXPECT_LE(files_.open_count(), OpenFiles::files_max);
  parts.clear();
  EXPECT_EQ(files_.memory_bytes(), 0u);
}

// What all deliveries in a page have in common is known without reading it.
TEST_F(FilePartTest, PassesOverPagesOfSuccessesWhenOthersAreWanted) {
  Sample sample(0, 3);
  for (uint64_t at = 0; at < 5000; ++at) {
    const EventFacts event = sample.event(1'900'000'000'000 + at, "1", {7});
    sample.outcome(event, 7, 1, at == 0 ? DeliveryStatus::dead : DeliveryStatus::delivered);
  }
  on_.disk().write_file(index_file(3), as_text(make_image(sample.part, testing::directory_id)));
  const auto part =
      FilePart::open(files_, testing::journal_directory, testing::directory_id, 0, 3, false);
  ASSERT_TRUE(part);
  const uint64_t before = files_.pages_read();
  Ulid last;
  last.bytes.fill(0xff);
  const auto walk = (*part)->walk(7, last, set_of(DeliveryStatus::dead));
  ASSERT_TRUE(walk);
  std::vector<DeliveryStatus> found;
  for (auto next = (*walk)->next(); next && *next != nullptr; next = (*walk)->next()) {
    found.push_back((*next)->outcome.status);
  }
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.back(), DeliveryStatus::dead);
  EXPECT_LT(files_.pages_read() - before, 10u);
}

}  // namespace
}  // namespace ringpost::index
