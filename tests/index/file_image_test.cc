// Goal: an index is on the disk as a whole or not at all.
// Method: the power goes at each step of writing, with and without an older index; the disk is
// full.

#include "index/file_image.h"

#include "index/file_part.h"
#include "samples.h"

#include <gtest/gtest.h>

namespace ringpost::index {
namespace {

using testing::DiskWithJournal;
using testing::index_file;
using testing::Sample;

void fill(Sample& sample) {
  for (uint64_t at = 0; at < 300; ++at) {
    const EventFacts event = sample.event(1'900'000'000'000 + at, std::to_string(at), {7, 8});
    sample.outcome(event, 7, 1, DeliveryStatus::delivered);
  }
}

Result<void> write(sim::Disk& disk, const Part& part, Bytes image) {
  return write_image(disk, testing::journal_directory, part, image);
}

// The old one and the new one differ: nothing of one may be found in the other.
TEST(FileImage, IsWholeOrAbsentWhereverThePowerGoes) {
  Sample sample(0, 1);
  fill(sample);
  const Sample other(0, 1);
  const auto image = make_image(sample.part, testing::directory_id);
  const auto older = make_image(other.part, testing::directory_id);
  uint32_t absent = 0;
  uint32_t old = 0;
  uint32_t whole = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    for (const bool had_one : {false, true}) {
      for (uint32_t steps = 0; steps < 12; ++steps) {
        DiskWithJournal on(seed);
        if (had_one) {
          ASSERT_TRUE(write(on.disk(), other.part, older));
        }
        on.disk().cut_power_after(steps);
        const bool said_done = write(on.disk(), sample.part, image).has_value();
        on.world.crash(sim::Crash::power);
        on.world.restart();
        if (!on.disk().exists(index_file(1))) {
          EXPECT_FALSE(said_done);
          EXPECT_FALSE(had_one);
          ++absent;
          continue;
        }
        const std::string found = on.disk().read_file(index_file(1));
        if (found == as_text(older)) {
          EXPECT_TRUE(had_one && !said_done);
          ++old;
        } else {
          EXPECT_EQ(found, as_text(image));
          ++whole;
        }
        EXPECT_TRUE(write(on.disk(), sample.part, image));  // Whatever was left over.
      }
    }
  }
  EXPECT_GT(absent, 20u);
  EXPECT_GT(old, 20u);
  EXPECT_GT(whole, 20u);
}

TEST(FileImage, LeavesNothingBehindWhenTheDiskIsFull) {
  Sample sample(0, 1);
  fill(sample);
  const auto image = make_image(sample.part, testing::directory_id);
  DiskWithJournal on;
  on.disk().set_capacity(on.disk().used_bytes() + image.size() - 1);
  const auto written = write(on.disk(), sample.part, image);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::out_of_space);
  EXPECT_TRUE(on.disk().files().empty());
}

TEST(FileImage, OfAnEmptySegmentOpens) {
  const Sample sample(0, 1);
  DiskWithJournal on;
  ASSERT_TRUE(write(on.disk(), sample.part, make_image(sample.part, testing::directory_id)));
  OpenFiles files(on.disk());
  const auto part =
      FilePart::open(files, testing::journal_directory, testing::directory_id, 0, 1, false);
  ASSERT_TRUE(part);
  EXPECT_FALSE((*part)->has_events());
  std::vector<LocalDelivery> open;
  EXPECT_TRUE((*part)->open_deliveries(open));
  const auto event = (*part)->event(Ulid{});
  EXPECT_TRUE(event && !*event);
}

TEST(Filters, NamesFewRangesOfSegments) {
  Sample sample(0, 9000);
  for (uint32_t segment = 1; segment < 2000; segment += 2) {
    sample.outcome({.uid = {}, .position = Position::make(1, segment, 4096)}, 7, 1,
                   DeliveryStatus::delivered);
  }
  DiskWithJournal on;
  const auto image = make_image(sample.part, testing::directory_id);
  ASSERT_TRUE(write(on.disk(), sample.part, image));
  OpenFiles files(on.disk());
  const auto part =
      FilePart::open(files, testing::journal_directory, testing::directory_id, 0, 9000, false);
  ASSERT_TRUE(part);
  for (uint32_t segment = 1; segment < 2000; segment += 2) {
    EXPECT_TRUE((*part)->may_have_outcomes_of_segment(Position::make(1, segment, 0)));
  }
  EXPECT_FALSE((*part)->may_have_outcomes_of_segment(Position::make(1, 3000, 0)));
  EXPECT_LT((*part)->memory_bytes(), 4000u);
}

}  // namespace
}  // namespace ringpost::index
