// Goal: what an index says of its files, what a question may cost, and what becomes of outcomes
// without a record. (That its answers are right: model_test.)
// Method: a few segments, one thing wrong at a time.

#include "index/index.h"

#include "index/file_image.h"
#include "index/rebuild.h"
#include "samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

namespace ringpost::index {
namespace {

using journal::Finding;
using testing::DiskWithJournal;
using testing::index_file;
using testing::Sample;

constexpr uint64_t first_ms = 1'900'000'000'000;

class IndexTest : public ::testing::Test {
 protected:
  std::unique_ptr<Index> make(uint64_t memory_max = 64u << 20) {
    findings_.clear();
    return std::make_unique<Index>(on_.disk(),
                                   Index::Options{.journal_directory = testing::journal_directory,
                                                  .directory_id = testing::directory_id,
                                                  .memory_max = memory_max},
                                   [this](const Finding& one) { findings_.push_back(one); });
  }

  /// A sealed segment with `count` events for webhook 7, one a millisecond.
  std::vector<EventFacts> write_segment(uint32_t number, uint64_t count) {
    Sample sample(0, number);
    std::vector<EventFacts> events;
    for (uint64_t at = 0; at < count; ++at) {
      events.push_back(sample.event(first_ms + number * 100'000 + at, std::to_string(at), {7}));
      if (at % 2 == 0) sample.outcome(events.back(), 7, 1, DeliveryStatus::delivered);
    }
    on_.write(sample.maker);
    return events;
  }

  DiskWithJournal on_;
  std::vector<Finding> findings_;
};

TEST_F(IndexTest, MakesAnIndexThatIsMissingAndSaysSo) {
  write_segment(1, 10);
  ASSERT_TRUE(make()->adopt(0, 1));
  ASSERT_EQ(findings_.size(), 1u);
  EXPECT_EQ(findings_[0].kind, Finding::Kind::note);
  EXPECT_EQ(findings_[0].path, index_file(1));
  EXPECT_TRUE(on_.disk().exists(index_file(1)));
  ASSERT_TRUE(make()->adopt(0, 1));
  EXPECT_TRUE(findings_.empty());
}

TEST_F(IndexTest, ReadsTheSegmentWhereItsIndexIsDamagedAndSaysSo) {
  const auto events = write_segment(1, 1000);
  ASSERT_TRUE(make()->adopt(0, 1));
  const uint64_t size = on_.disk().read_file(index_file(1)).size();
  const auto index = make();
  ASSERT_TRUE(index->adopt(0, 1));
  for (uint64_t at = 0; at < size; at += page_bytes) {
    on_.disk().overwrite(index_file(1), at, "damaged");
  }
  const auto page = index->page({.webhook_number = 7});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->items.size(), 50u);
  ASSERT_EQ(findings_.size(), 1u);
  EXPECT_EQ(findings_[0].kind, Finding::Kind::damage);
  EXPECT_NE(findings_[0].text.find("made again"), std::string::npos);
  ASSERT_TRUE(make()->adopt(0, 1));
  EXPECT_TRUE(findings_.empty());
}

TEST_F(IndexTest, LeavesOutASegmentThatCannotBeReadAtAllAndSaysSo) {
  write_segment(1, 10);
  const auto events = write_segment(2, 10);
  const auto index = make();
  ASSERT_TRUE(index->adopt(0, 1));
  ASSERT_TRUE(index->adopt(0, 2));
  on_.disk().truncate(index_file(1), 0);
  on_.disk().erase(journal::segment_path(testing::journal_directory, 0, 1));
  findings_.clear();
  const auto page = index->page({.webhook_number = 7});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->items.size(), 10u);
  EXPECT_EQ(page->items[0].event.uid, events.back().uid);
  ASSERT_EQ(findings_.size(), 1u);
  EXPECT_NE(findings_[0].text.find("not shown"), std::string::npos);
}

// It is there once, whichever of its segments are, with all that is known of its deliveries.
TEST_F(IndexTest, FindsAnEventThatWasCarriedForwardByItsFirstPosition) {
  Sample old(0, 1);
  const EventFacts first = old.event(first_ms, "one", {7, 8, 9});
  old.outcome(first, 9, 1, DeliveryStatus::delivered);
  old.outcome(first, 8, 1, DeliveryStatus::pending);
  Sample between(0, 2);
  between.event(first_ms + 1, "two", {7});
  between.outcome(first, 8, 2, DeliveryStatus::pending);
  Sample last(0, 3);
  const EventFacts again = last.carried(first, "one", {7, 8});
  last.outcome(first, 7, 1, DeliveryStatus::delivered);
  for (const Sample* sample : {&old, &between, &last}) on_.write(sample->maker);

  const auto index = make();
  for (const uint32_t segment : {1u, 2u, 3u}) ASSERT_TRUE(index->adopt(0, segment));
  index->replace(first.position);
  for (const uint32_t attempts : {2u, 1u}) {  // Then without the first segment.
    SCOPED_TRACE(attempts);
    const auto events = index->event_list({});
    ASSERT_TRUE(events);
    ASSERT_EQ(events->items.size(), 2u);
    EXPECT_EQ(events->items[1].facts.uid, first.uid);
    EXPECT_EQ(events->items[1].facts.position, again.position);
    const auto found = index->deliveries_of(events->items[1].facts);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 2u);
    EXPECT_EQ((*found)[0].state.status, DeliveryStatus::delivered);
    EXPECT_EQ((*found)[1].state.status, DeliveryStatus::pending);
    EXPECT_EQ((*found)[1].state.attempts, 2u);
    EXPECT_EQ((*found)[1].state.records.size(), attempts);
    const auto one = index->delivery(journal::delivery_id(first.uid, 7));
    ASSERT_TRUE(one && *one);
    EXPECT_EQ((*one)->event.position, again.position);
    EXPECT_EQ((*one)->state.status, DeliveryStatus::delivered);
    const auto page = index->page({.webhook_number = 8});
    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 1u);
    EXPECT_EQ(page->items[0].state.attempts, 2u);
    // Behind the horizon what is pending is shown, and nothing else.
    const Horizon horizon{.since = first.uid.time() + std::chrono::hours{1}, .pending_since = {}};
    const auto old_page = index->page({.horizon = horizon});
    ASSERT_TRUE(old_page);
    ASSERT_EQ(old_page->items.size(), 2u);
    EXPECT_NE(old_page->items[0].event.uid, first.uid);
    EXPECT_EQ(old_page->items[1].event.uid, first.uid);
    EXPECT_EQ(old_page->items[1].webhook_number, 8u);
    const auto left = index->deliveries_of(events->items[1].facts, horizon);
    EXPECT_TRUE(left && left->size() == 1);
    uint64_t pending = 0;
    ASSERT_TRUE(index->for_each_pending([&](Position position, const Ulid& uid, const auto& open) {
      if (uid != first.uid) return;
      EXPECT_EQ(position, first.position);
      pending += open.size();
    }));
    EXPECT_EQ(pending, 1u);
    const auto in_last = index->pending({.journal = 0, .segment = 3, .before = {}});
    ASSERT_TRUE(in_last);
    const auto carried = std::ranges::find(in_last->items, first.uid, &PendingEvent::uid);
    ASSERT_NE(carried, in_last->items.end());
    EXPECT_EQ(carried->position, first.position);
    ASSERT_EQ(carried->deliveries.size(), 1u);
    EXPECT_EQ(carried->deliveries[0].webhook_number, 8u);
    EXPECT_EQ(carried->deliveries[0].attempts, 2u);
    const auto totals = index->totals({.hours = {0, UINT32_MAX}, .by_webhook = true});
    ASSERT_TRUE(totals);
    EXPECT_EQ(totals->items.at(7).events, attempts);
    EXPECT_EQ(totals->items.at(7).delivered, 1u);
    index->forget(0, 1);
  }
}

// A start must not take "cannot be read" for "nothing is pending".
TEST_F(IndexTest, DoesNotTellWhatIsPendingWithoutASegment) {
  write_segment(1, 10);
  write_segment(2, 10);
  const auto index = make();
  ASSERT_TRUE(index->adopt(0, 1));
  ASSERT_TRUE(index->adopt(0, 2));
  on_.disk().truncate(index_file(2), 0);
  on_.disk().erase(journal::segment_path(testing::journal_directory, 0, 2));
  const auto visited = index->for_each_pending([](Position, const Ulid&, const auto&) {});
  EXPECT_FALSE(visited);
}

// Nor may a page of it: an end that is left out would be carried forward as pending.
TEST_F(IndexTest, TellsNoPageOfWhatIsPendingWithoutASegment) {
  const auto events = write_segment(1, 10);
  Sample ends(0, 2);
  ends.outcome(events[1], 7, 1, DeliveryStatus::delivered);
  on_.write(ends.maker);
  const auto index = make();
  ASSERT_TRUE(index->adopt(0, 1));
  ASSERT_TRUE(index->adopt(0, 2));
  on_.disk().truncate(index_file(2), 0);
  on_.disk().erase(journal::segment_path(testing::journal_directory, 0, 2));
  const auto lacking = index->pending({.journal = 0, .segment = 1});
  ASSERT_FALSE(lacking);
  EXPECT_EQ(lacking.error().code, Errc::corrupt);
}

TEST_F(IndexTest, KeepsWhatItCannotWriteInMemory) {
  for (uint32_t segment = 1; segment <= 10; ++segment) write_segment(segment, 10);
  on_.disk().set_capacity(on_.disk().used_bytes());
  const auto index = make();
  uint32_t refused = 0;
  for (uint32_t segment = 1; segment <= 10; ++segment) {
    const auto adopted = index->adopt(0, segment);
    if (!adopted) {
      EXPECT_EQ(adopted.error().code, Errc::out_of_space);
    }
    refused += adopted ? 0 : 1;
  }
  EXPECT_EQ(refused, 2u);  // Memory has an end, too.
  const auto page = index->page({.webhook_number = 7, .limit = 200});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->items.size(), 80u);
}

TEST_F(IndexTest, SealsLaterWhatItCannotSealNow) {
  const auto index = make();
  index->begin(0, 1);
  Prng random(1);
  journal::EventView view;
  view.uid = Ulid::mint(from_unix_ns(first_ms * 1'000'000), random);
  const uint32_t webhooks[] = {7};
  view.webhook_numbers = std::as_bytes(std::span{webhooks});
  index->on_event(view, Position::make(0, 1, 4128));
  const auto part = index->seal(0, 1);
  const auto write = [&] {
    return write_index(on_.disk(), testing::journal_directory, testing::directory_id, *part);
  };
  on_.disk().set_capacity(0);
  EXPECT_FALSE(write());
  EXPECT_FALSE(index->open(0, 1, false));
  EXPECT_EQ(index->page({.webhook_number = 7})->items.size(), 1u);
  on_.disk().set_capacity(1 << 20);
  EXPECT_TRUE(write());
  EXPECT_TRUE(index->open(0, 1, false));
  EXPECT_EQ(index->page({.webhook_number = 7})->items.size(), 1u);
  EXPECT_EQ(index->delivery_count(), 1u);
  index->drop(0, 1);  // It has a file.
  EXPECT_EQ(index->delivery_count(), 1u);
  index->forget(0, 1);
  EXPECT_EQ(index->delivery_count(), 0u);
}

TEST_F(IndexTest, LeavesOutWhatWasDroppedUntilItIsMadeAgain) {
  write_segment(1, 10);
  const auto index = make();
  index->begin(0, 1);
  EXPECT_NE(index->seal(0, 1), nullptr);
  index->drop(0, 1);
  EXPECT_FALSE(index->has(0, 1));
  EXPECT_EQ(index->page({.webhook_number = 7})->items.size(), 0u);
  ASSERT_TRUE(rebuild_index(on_.disk(), testing::journal_directory, testing::directory_id, 0, 1));
  ASSERT_TRUE(index->open(0, 1, false));
  EXPECT_EQ(index->page({.webhook_number = 7})->items.size(), 10u);
}

TEST_F(IndexTest, ReturnsPassingErrorsAndKeepsTheFile) {
  write_segment(1, 10);
  const auto index = make();
  ASSERT_TRUE(index->adopt(0, 1));
  findings_.clear();
  on_.disk().fail_next(sim::Disk::Call::read, 1);
  ASSERT_TRUE(index->page({.webhook_number = 7}));  // EIO: the segment is read instead.
  EXPECT_EQ(findings_.size(), 1u);
}

TEST_F(IndexTest, APageThatFindsLittleIsCutAndGoesOn) {
  for (uint32_t segment = 1; segment <= 20; ++segment) write_segment(segment, 100);
  const auto index = make();
  for (uint32_t segment = 1; segment <= 20; ++segment) ASSERT_TRUE(index->adopt(0, segment));
  PageQuery query{.webhook_number = 7, .status = DeliveryStatus::dead};
  query.entries_max = 150;
  size_t pages = 0;
  for (; pages < 100; ++pages) {
    const uint64_t before = index->pages_read();
    const auto page = index->page(query);
    ASSERT_TRUE(page);
    EXPECT_TRUE(page->items.empty());
    EXPECT_LT(index->pages_read() - before, 50u);
    if (!page->next_before) break;
    EXPECT_TRUE(page->cut);
    ASSERT_TRUE(!query.before || *page->next_before < *query.before);
    query.before = page->next_before;
  }
  EXPECT_EQ(pages, 2000u / 150);
}

TEST_F(IndexTest, KeepsItsMemoryByReadingMore) {
  for (uint32_t segment = 1; segment <= 20; ++segment) write_segment(segment, 500);
  const auto roomy = make();
  for (uint32_t segment = 1; segment <= 20; ++segment) ASSERT_TRUE(roomy->adopt(0, segment));
  const auto narrow = make(roomy->memory_bytes() / 2);
  for (uint32_t segment = 1; segment <= 20; ++segment) ASSERT_TRUE(narrow->adopt(0, segment));
  EXPECT_LE(narrow->memory_bytes(), roomy->memory_bytes() / 2);
  const uint32_t hash = narrow->hash().of("default", "499");
  EXPECT_EQ(narrow->events({.id_hash = hash})->items.size(), 20u);
}

TEST_F(IndexTest, KnowsAnOutcomeWithoutARecordUntilTheRestart) {
  const auto events = write_segment(1, 2);
  auto index = make();
  ASSERT_TRUE(index->adopt(0, 1));
  const Ulid id = journal::delivery_id(events[1].uid, 7);
  EXPECT_EQ((*index->delivery(id))->state.status, DeliveryStatus::pending);
  index->on_outcome({.delivery = {events[1].position, 7},
                     .record = {},
                     .attempt = 1,
                     .status = DeliveryStatus::delivered},
                    events[1].position);
  EXPECT_EQ((*index->delivery(id))->state.status, DeliveryStatus::delivered);
  index = make();
  ASSERT_TRUE(index->adopt(0, 1));
  EXPECT_EQ((*index->delivery(id))->state.status, DeliveryStatus::pending);
}

// The event of such an outcome may have been carried forward before, or be carried after: while its
// newest record is there, the end is known.
TEST_F(IndexTest, KnowsAnOutcomeWithoutARecordAsLongAsTheRecordOfItsEvent) {
  for (const bool carried_before : {false, true}) {
    const auto index = make();
    Prng random(1);
    const std::vector<uint32_t> numbers{7, 8};
    journal::EventView view;
    view.uid = Ulid::mint(from_unix_ns(first_ms * 1'000'000), random);
    view.webhook_numbers = std::as_bytes(std::span{numbers});
    const Position first = Position::make(0, 1, 4128);
    const Position again = Position::make(0, 2, 4128);
    index->begin(0, 1);
    index->on_event(view, first);
    journal::Carried carried{.origin = first, .times = 1, .at = {}, .states = {}, .floors = {}};
    carried.states.resize(2);
    const auto packed = pack(carried);
    const auto carry = [&] {
      index->begin(0, 2);
      journal::EventView moved = view;
      moved.carried = packed;
      index->replace(first);
      index->on_event(moved, again);
    };
    if (carried_before) carry();
    index->on_outcome({.delivery = {first, 7}, .attempt = 1, .status = DeliveryStatus::delivered},
                      carried_before ? again : first);
    if (!carried_before) carry();
    index->forget(0, 1);
    const auto pending = index->pending({.journal = 0, .segment = 2});
    ASSERT_TRUE(pending && pending->items.size() == 1);
    ASSERT_EQ(pending->items[0].deliveries.size(), 1u);
    EXPECT_EQ(pending->items[0].deliveries[0].webhook_number, 8u);
    const uint64_t bytes = index->memory_bytes();
    index->forget(0, 2);
    EXPECT_LT(index->memory_bytes(), bytes);
  }
}

TEST_F(IndexTest, WhatIsSettledIsNotPendingWhateverOutcomesAreLeft) {
  const auto events = write_segment(1, 2);
  const auto index = make();
  ASSERT_TRUE(index->adopt(0, 1));
  size_t pending = 0;
  const auto count = [&](Position, const Ulid&, const auto&) { ++pending; };
  ASSERT_TRUE(index->for_each_pending(count));
  EXPECT_EQ(pending, 1u);
  index->set_settled_through({1});
  ASSERT_TRUE(index->for_each_pending(count));
  EXPECT_EQ(pending, 1u);
  const auto gone = index->delivery(journal::delivery_id(events[1].uid, 7));
  EXPECT_TRUE(gone && !*gone);
  EXPECT_EQ(index->page({.webhook_number = 7})->items.size(), 1u);
}

}  // namespace
}  // namespace ringpost::index
