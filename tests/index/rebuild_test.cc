// Goal: the part made of a segment's file is the one that its records made while it was written.
// Method: both parts' index files compared, of segments sealed, unsealed, and damaged.

#include "index/rebuild.h"

#include "index/file_image.h"
#include "samples.h"

#include <gtest/gtest.h>

namespace ringpost::index {
namespace {

using testing::DiskWithJournal;
using testing::Sample;

void fill(Sample& sample) {
  for (uint64_t at = 0; at < 300; ++at) {
    const EventFacts event = sample.event(1'900'000'000'000 + at, std::to_string(at), {7, 8});
    sample.outcome(event, 7, 1, DeliveryStatus::delivered);
  }
  sample.outcome({.uid = {}, .position = Position::make(2, 5, 4096)}, 9, 4, DeliveryStatus::dead);
}

Result<std::unique_ptr<OpenPart>> read(DiskWithJournal& on, uint32_t segment = 1) {
  return read_segment(on.disk(), testing::journal_directory, testing::directory_id, 0, segment,
                      false);
}

TEST(ReadSegment, MakesWhatItsRecordsMade) {
  Sample sample(0, 1);
  fill(sample);
  const auto image = make_image(sample.part, testing::directory_id);
  for (const bool sealed : {true, false}) {
    DiskWithJournal on;
    on.write(sample.maker, sealed);
    const auto part = read(on);
    ASSERT_TRUE(part);
    EXPECT_EQ(make_image(**part, testing::directory_id), image);
  }
}

TEST(ReadSegment, TakesEveryRecordThatIsWhole) {
  Sample sample(0, 1);
  fill(sample);
  DiskWithJournal on;
  on.write(sample.maker);
  const std::string path = journal::segment_path(testing::journal_directory, 0, 1);
  on.disk().flip_bit(path, 20, 1);    // In the header.
  on.disk().flip_bit(path, 5000, 1);  // In some record.
  const auto part = read(on);
  ASSERT_TRUE(part);
  EXPECT_GE((*part)->event_count(), 298u);
}

TEST(ReadSegment, SaysThatThereIsNone) {
  Sample sample(0, 1);
  fill(sample);
  DiskWithJournal on;
  EXPECT_EQ(read(on).error().code, Errc::not_found);
  on.write(sample.maker);
  on.disk().copy(journal::segment_path(testing::journal_directory, 0, 1),
                 journal::segment_path(testing::journal_directory, 0, 2));
  EXPECT_EQ(read(on, 2).error().code, Errc::not_found);
}

}  // namespace
}  // namespace ringpost::index
