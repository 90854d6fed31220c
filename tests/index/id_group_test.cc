// Goal: a file of ids names every segment that has an event of an id, and few others, for one page
// read; it is there as a whole or not at all; without it, answers are the same.
// Method: groups of some segments with ids of their own and shared ones; power cuts at each step;
// damage; segments that go.

#include "index/id_group.h"

#include "index/file_image.h"
#include "index/index.h"
#include "samples.h"

#include <gtest/gtest.h>

#include <bit>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

namespace ringpost::index {
namespace {

using journal::Finding;
using testing::DiskWithJournal;
using testing::Sample;

constexpr uint32_t last = 127;
constexpr uint64_t first_ms = 1'900'000'000'000;

IdGroupKey key() {
  return {testing::journal_directory, testing::directory_id, 0, last};
}

TextHash text_hash() {
  return TextHash(testing::directory_id);
}

class IdGroups : public ::testing::Test {
 protected:
  /// Ids are "<segment>/<number>", and one is "shared".
  void write_segment(uint32_t number, uint64_t events) {
    Sample sample(0, number);
    const uint64_t begin = first_ms + number * 100'000;
    for (uint64_t at = 0; at < events; ++at) {
      sample.event(begin + at, std::to_string(number) + '/' + std::to_string(at), {7});
    }
    sample.event(begin + events, "shared", {7});
    on_.write(sample.maker);
    ASSERT_TRUE(
        write_index(on_.disk(), testing::journal_directory, testing::directory_id, sample.part));
  }

  static Result<void> make(sim::Disk& disk, SegmentMask segments) {
    IdGroupWriter writer(disk, key(), segments);
    while (true) {
      const auto done = writer.step();
      if (!done) return done.error();
      if (*done) return {};
    }
  }

  std::unique_ptr<Index> make_index(const std::vector<uint32_t>& segments) {
    findings_.clear();
    auto index =
        std::make_unique<Index>(on_.disk(),
                                Index::Options{.journal_directory = testing::journal_directory,
                                               .directory_id = testing::directory_id},
                                [this](const Finding& one) { findings_.push_back(one); });
    for (const uint32_t segment : segments) EXPECT_TRUE(index->adopt(0, segment));
    return index;
  }

  static std::set<uint32_t> found(Index& index, const std::string& id) {
    const auto page = index.events({.id_hash = text_hash().of("default", id)});
    EXPECT_TRUE(page);
    std::set<uint32_t> segments;
    for (const EventFacts& event : page->items) segments.insert(event.position.segment());
    return segments;
  }

  DiskWithJournal on_;
  std::vector<Finding> findings_;
};

TEST_F(IdGroups, NameTheSegmentsOfAnIdAndFewOthers) {
  SegmentMask all = 0;
  for (const uint32_t segment : {64u, 65u, 99u, 127u}) {
    write_segment(segment, segment == 99 ? 3000 : 300);
    all |= mask_of(segment);
  }
  ASSERT_TRUE(make(on_.disk(), all));
  const auto group = IdGroup::open(on_.disk(), key());
  ASSERT_TRUE(group);
  EXPECT_EQ(group->segments(), all);
  OpenFiles files(on_.disk());
  const auto ask = [&](const std::string& id) {
    return group->may_have(files, text_hash().of("default", id)).value();
  };
  EXPECT_EQ(ask("shared"), all);
  for (const uint32_t segment : {64u, 65u, 99u, 127u}) {
    for (uint32_t at = 0; at < 300; ++at) {
      const std::string id = std::to_string(segment) + '/' + std::to_string(at);
      EXPECT_NE(ask(id) & mask_of(segment), 0u) << id;
    }
  }
  EXPECT_EQ(files.pages_read(), 1201u);
  uint32_t wrong = 0;
  for (uint32_t at = 0; at < 1000; ++at) {
    wrong += static_cast<uint32_t>(std::popcount(ask("none/" + std::to_string(at))));
  }
  EXPECT_LT(wrong, 200u);
}

TEST_F(IdGroups, AreWholeOrAbsentWhereverThePowerGoes) {
  uint32_t absent = 0;
  uint32_t whole = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    for (uint32_t steps = 0; steps < 12; ++steps) {
      on_.~DiskWithJournal();
      new (&on_) DiskWithJournal(seed);
      write_segment(64, 100);
      write_segment(65, 100);
      on_.disk().cut_power_after(steps);
      const bool said_done = make(on_.disk(), 3).has_value();
      on_.world.crash(sim::Crash::power);
      on_.world.restart();
      const auto group = IdGroup::open(on_.disk(), key());
      if (group) {
        EXPECT_EQ(group->segments(), 3u);
        ++whole;
      } else {
        EXPECT_EQ(group.error().code, Errc::not_found);
        EXPECT_FALSE(said_done);
        ++absent;
      }
      EXPECT_TRUE(make(on_.disk(), 3));  // Whatever was left over.
    }
  }
  EXPECT_GT(absent, 20u);
  EXPECT_GT(whole, 20u);
}

TEST_F(IdGroups, LeaveNothingBehindWhenTheDiskIsFull) {
  write_segment(64, 1000);
  const auto before = on_.disk().files();
  on_.disk().set_capacity(on_.disk().used_bytes() + 4096);
  const auto made = make(on_.disk(), 1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::out_of_space);
  EXPECT_EQ(on_.disk().files(), before);
}

TEST_F(IdGroups, LeaveOutASegmentWhoseIndexIsOfNoUse) {
  write_segment(64, 100);
  write_segment(65, 100);
  on_.disk().overwrite(testing::index_file(65), 10, "damaged");
  ASSERT_TRUE(make(on_.disk(), 7));
  EXPECT_EQ(IdGroup::open(on_.disk(), key())->segments(), 1u);
}

TEST_F(IdGroups, AreWantedWhenFourSegmentsHaveFilesAndNoneIsInMemory) {
  for (uint32_t segment = 64; segment < 68; ++segment) write_segment(segment, 10);
  const auto index = make_index({64, 65, 66});
  EXPECT_EQ(index->wants_ids(0, last), 0u);
  ASSERT_TRUE(index->adopt(0, 67));
  EXPECT_EQ(index->wants_ids(0, last), 15u);
  EXPECT_EQ(index->wants_ids(0, 63), 0u);
  index->begin(0, 68);
  EXPECT_EQ(index->wants_ids(0, last), 0u);
  index->forget(0, 68);
  ASSERT_TRUE(make(on_.disk(), 15));
  ASSERT_TRUE(index->open_ids(0, last));
  EXPECT_EQ(index->wants_ids(0, last), 0u);
  write_segment(70, 10);
  ASSERT_TRUE(index->adopt(0, 70));
  EXPECT_EQ(index->wants_ids(0, last), 15u | mask_of(70));  // One that the file does not cover.
}

TEST_F(IdGroups, SpareTheFiltersAndReadOnePage) {
  const std::vector<uint32_t> segments = {64, 65, 66, 67};
  for (const uint32_t segment : segments) write_segment(segment, 2000);
  const auto index = make_index(segments);
  const uint64_t memory = index->memory_bytes();
  ASSERT_TRUE(make(on_.disk(), index->wants_ids(0, last)));
  ASSERT_TRUE(index->open_ids(0, last));
  EXPECT_LT(index->memory_bytes(), memory - 4 * 2000);
  const uint64_t before = index->pages_read();
  for (uint32_t at = 0; at < 100; ++at) {
    EXPECT_TRUE(found(*index, "none/" + std::to_string(at)).empty());
  }
  EXPECT_LT(index->pages_read() - before, 150u);
  EXPECT_EQ(found(*index, "65/1999"), (std::set<uint32_t>{65}));
  EXPECT_EQ(found(*index, "shared"), (std::set<uint32_t>{64, 65, 66, 67}));
  index->forget(0, 64);
  EXPECT_EQ(found(*index, "shared"), (std::set<uint32_t>{65, 66, 67}));
  for (const uint32_t segment : {65u, 66u, 67u}) index->forget(0, segment);
  EXPECT_TRUE(found(*index, "shared").empty());
}

TEST_F(IdGroups, ThatAreDamagedAreLeftOutAndSaid) {
  const std::vector<uint32_t> segments = {64, 65, 66, 67};
  for (const uint32_t segment : segments) write_segment(segment, 100);
  const auto index = make_index(segments);
  ASSERT_TRUE(make(on_.disk(), 15));
  ASSERT_TRUE(index->open_ids(0, last));
  for (uint64_t at = page_bytes; at < on_.disk().read_file(key().path()).size(); at += page_bytes) {
    on_.disk().overwrite(key().path(), at, "damaged");
  }
  EXPECT_EQ(found(*index, "66/7"), (std::set<uint32_t>{66}));
  EXPECT_EQ(found(*index, "shared"), (std::set<uint32_t>{64, 65, 66, 67}));
  ASSERT_EQ(findings_.size(), 1u);
  EXPECT_EQ(findings_[0].kind, Finding::Kind::damage);
  EXPECT_EQ(findings_[0].path, key().path());
  EXPECT_EQ(index->wants_ids(0, last), 15u);  // Made again.
  ASSERT_TRUE(make(on_.disk(), 15));
  ASSERT_TRUE(index->open_ids(0, last));
  EXPECT_EQ(found(*index, "66/7"), (std::set<uint32_t>{66}));
}

TEST_F(IdGroups, OfAnotherJournalOrDataDirectoryAreRefused) {
  write_segment(64, 100);
  ASSERT_TRUE(make(on_.disk(), 1));
  IdGroupKey other = key();
  other.directory_id = 7;
  EXPECT_EQ(IdGroup::open(on_.disk(), other).error().code, Errc::corrupt);
  on_.disk().copy(key().path(), testing::journal_directory + "/000/" + ids_name(63));
  other = key();
  other.last = 63;
  EXPECT_EQ(IdGroup::open(on_.disk(), other).error().code, Errc::corrupt);
  on_.disk().overwrite(key().path(), 8, std::string(1, '\x7f'));
  EXPECT_EQ(IdGroup::open(on_.disk(), key()).error().code, Errc::corrupt);
}

TEST_F(IdGroups, ThatNothingIsLeftOfAreRemovedAtAStart) {
  const std::vector<uint32_t> segments = {64, 65, 66, 67};
  for (const uint32_t segment : segments) write_segment(segment, 10);
  ASSERT_TRUE(make(on_.disk(), 15));
  on_.disk().write_file(testing::journal_directory + "/000/" + unfinished_ids_name(last), "x");
  auto index = make_index(segments);
  ASSERT_TRUE(index->open_ids(0, last));
  ASSERT_TRUE(index->remove_leftovers(0));
  EXPECT_TRUE(on_.disk().exists(key().path()));
  EXPECT_FALSE(on_.disk().exists(key().path() + ".new"));
  index = make_index({});
  ASSERT_TRUE(index->remove_leftovers(0));
  EXPECT_FALSE(on_.disk().exists(key().path()));
}

}  // namespace
}  // namespace ringpost::index
