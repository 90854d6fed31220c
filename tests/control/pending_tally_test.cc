// Goal: what is counted as pending is right whatever overtakes what, and the age of the oldest too.
// Method: events and outcomes against plain lists; a backlog of many.

#include "control/pending_tally.h"

#include "control_fakes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

namespace ringpost::control {
namespace {

using index::Outcome;
using journal::DeliveryStatus;
using journal::Position;
using testing::at;

// --- ages ----------------------------------------------------------------------------------------

TEST(PendingAges, AreExactWithFewDifferentTimes) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Prng random{seed};
    PendingAges ages;
    std::vector<WallTime> there;
    for (int step = 0; step < 2'000; ++step) {
      if (there.empty() || random.chance(11, 20)) {
        const WallTime time = at(static_cast<int64_t>(random.below(60)));
        there.push_back(time);
        ages.add(time);
      } else {
        const size_t which = random.below(there.size());
        ages.remove(there[which]);
        there.erase(there.begin() + static_cast<ptrdiff_t>(which));
      }
      ASSERT_EQ(ages.count(), there.size());
      ASSERT_EQ(ages.empty(), there.empty());
      if (there.empty()) continue;
      ASSERT_EQ(ages.oldest(), *std::ranges::min_element(there));
    }
  }
}

// Goal: of many, the oldest is never told too young, and not much too old. Method: a backlog of a
// day that is delivered from its beginning while more comes, some of it late.
TEST(PendingAges, TellTheOldestOfManyNearly) {
  constexpr int64_t day = 86'400;
  Prng random{1};
  PendingAges ages;
  std::deque<int64_t> there;
  for (int64_t second = 0; second < day; ++second) {
    there.push_back(std::max<int64_t>(second - static_cast<int64_t>(random.below(5)), 0));
    ages.add(at(there.back()));
  }
  for (int64_t second = day; !there.empty(); ++second) {
    ASSERT_LE(ages.oldest(),
              at(*std::min_element(there.begin(),
                                   there.begin() + std::min<ptrdiff_t>(10, std::ssize(there)))));
    ASSERT_GE(ages.oldest(), at(there.front() - 5 - day / 30));
    if (second < 2 * day) {
      there.push_back(second);
      ages.add(at(second));
    }
    for (int count = 0; count < 3 && !there.empty(); ++count) {
      ages.remove(at(there.front()));
      there.pop_front();
    }
  }
  EXPECT_TRUE(ages.empty());
  EXPECT_LE(ages.memory_bytes(), 4096u);
}

// --- counts --------------------------------------------------------------------------------------

struct SampleEvent {
  Ulid uid;
  std::vector<std::byte> numbers;
  Position position;

  journal::EventView view() const {
    journal::EventView view;
    view.uid = uid;
    view.accepted_at = uid.time();
    view.webhook_numbers = numbers;
    return view;
  }
};

class PendingTallyTest : public ::testing::Test {
 protected:
  SampleEvent make(int64_t second, const std::vector<uint32_t>& numbers, uint32_t journal = 0,
                   uint32_t segment = 1) {
    return {.uid = Ulid::mint(at(second), random_),
            .numbers = testing::pack_numbers(numbers),
            .position = Position::make(journal, segment, next_offset())};
  }
  Outcome outcome(const SampleEvent& event, uint32_t number, DeliveryStatus status,
                  uint32_t journal = 0) {
    return {.delivery = {event.position, number},
            .record = Position::make(journal, 9, next_offset()),
            .attempt = 1,
            .status = status,
            .started_at = event.uid.time(),
            .accepted_at = event.uid.time()};
  }
  void tell(const SampleEvent& event) {
    EXPECT_FALSE(tally_.on_event(event.view(), event.position));
    tally_.check();
  }
  void tell(const Outcome& outcome) {
    tally_.on_outcome(outcome);
    tally_.check();
  }
  /// The event again, where it was carried to. @returns the record that it replaces.
  std::optional<Position> tell_carried(const SampleEvent& event, const std::vector<uint32_t>& to,
                                       Position record) {
    journal::Carried carried{
        .origin = event.position, .times = 1, .at = at(50), .states = {}, .floors = {}};
    carried.states.resize(to.size());
    const auto packed = pack(carried);
    const auto numbers = testing::pack_numbers(to);
    journal::EventView view = event.view();
    view.webhook_numbers = numbers;
    view.carried = packed;
    const auto replaced = tally_.on_event(view, record);
    tally_.check();
    return replaced;
  }
  bool settled(uint32_t journal, uint32_t segment) {
    const auto oldest = ledger_.oldest(journal);
    EXPECT_EQ(oldest.segment, segment);
    return oldest.settled;
  }
  uint32_t next_offset() { return offset_ += 8; }

  Prng random_{7};
  uint32_t offset_ = 4096;
  SegmentLedger ledger_;
  journal::CarriedPlaces places_;
  PendingTally tally_{ledger_, places_};
};

TEST_F(PendingTallyTest, CountsDeliveriesUntilTheyEnd) {
  const SampleEvent event = make(1, {4, 9});
  tell(event);
  tell(make(2, {}));
  ledger_.on_sealed(0, 1);
  EXPECT_EQ(tally_.count(), 2u);
  tell(outcome(event, 9, DeliveryStatus::in_flight));
  tell(outcome(event, 9, DeliveryStatus::pending));
  EXPECT_EQ(tally_.count(), 2u);
  tell(outcome(event, 9, DeliveryStatus::delivered));
  EXPECT_FALSE(settled(0, 1));
  EXPECT_EQ(tally_.oldest_at(4), at(1));
  EXPECT_FALSE(tally_.oldest_at(9));
  tell(outcome(event, 4, DeliveryStatus::cancelled));
  EXPECT_TRUE(settled(0, 1));
  EXPECT_EQ(tally_.count(), 0u);
  EXPECT_FALSE(tally_.oldest_at());
}

TEST_F(PendingTallyTest, TakesAnEndBeforeItsEvent) {
  tell(make(1, {3}, 0));  // Of its journal something was told before.
  const SampleEvent event = make(2, {1, 2}, 0);
  tell(outcome(event, 1, DeliveryStatus::pending, 1));
  tell(outcome(event, 1, DeliveryStatus::delivered, 1));
  EXPECT_EQ(tally_.count(), 1u);
  tell(event);
  EXPECT_EQ(tally_.count(), 2u);
  EXPECT_FALSE(tally_.oldest_at(1));
  EXPECT_EQ(tally_.oldest_at(2), at(2));
  tell(outcome(event, 2, DeliveryStatus::delivered, 1));
  EXPECT_EQ(tally_.count(), 1u);
}

TEST_F(PendingTallyTest, GoesOnWithWhatAStartFound) {
  const SampleEvent event = make(1, {1, 2, 3});
  const SampleEvent carried = make(2, {1}, 3);  // Nothing else is left of its journal.
  places_.put(carried.position, Position::make(0, 2, 4096));
  tally_.restore(event.position, event.uid, {{1, 0, {}}, {3, 2, {}}});
  tally_.restore(carried.position, carried.uid, {{1, 1, {}}});
  tally_.check();
  EXPECT_EQ(tally_.count(), 3u);
  EXPECT_EQ(tally_.oldest_at(1), at(1));
  tell(outcome(event, 1, DeliveryStatus::delivered));
  EXPECT_EQ(tally_.oldest_at(1), at(2));
  tell(outcome(carried, 1, DeliveryStatus::dead));
  EXPECT_EQ(places_.size(), 0u);
  tell(outcome(event, 3, DeliveryStatus::cancelled));
  EXPECT_EQ(tally_.count(), 0u);
}

TEST_F(PendingTallyTest, AnEventThatIsCarriedIsPendingWhereItsRecordIs) {
  const SampleEvent event = make(1, {1, 2, 3});
  tell(event);
  tell(outcome(event, 3, DeliveryStatus::delivered));
  ledger_.on_sealed(0, 1);
  tally_.begin_carrying(event.position, {1, 2});
  tell(outcome(event, 1, DeliveryStatus::delivered));  // While it is being written.
  EXPECT_FALSE(settled(0, 1));
  const Position record = Position::make(0, 2, 4096);
  EXPECT_EQ(tell_carried(event, {1, 2}, record), event.position);
  EXPECT_TRUE(settled(0, 1));
  EXPECT_EQ(tally_.count(), 1u);
  EXPECT_EQ(tally_.place_of(event.position), record);
  EXPECT_EQ(ledger_.marks(), SettledMarks{1});
  ledger_.on_sealed(0, 2);
  EXPECT_EQ(ledger_.marks(), SettledMarks{1});
  tell(outcome(event, 2, DeliveryStatus::delivered));
  EXPECT_EQ(tally_.count(), 0u);
  EXPECT_EQ(ledger_.marks(), SettledMarks{2});
  EXPECT_EQ(places_.size(), 0u);
}

TEST_F(PendingTallyTest, WhatEndsWhileItIsCarriedLeavesNothingBehind) {
  const SampleEvent event = make(1, {1});
  tell(event);
  tally_.begin_carrying(event.position, {1});
  tell(outcome(event, 1, DeliveryStatus::delivered));
  EXPECT_EQ(tell_carried(event, {1}, Position::make(0, 2, 4096)), event.position);
  EXPECT_EQ(tally_.count(), 0u);
  EXPECT_EQ(places_.size(), 0u);
}

// The next try is for what is pending then.
TEST_F(PendingTallyTest, CarryingMayFailAndBeginAgain) {
  const SampleEvent event = make(1, {1, 2});
  tell(event);
  tally_.begin_carrying(event.position, {1, 2});
  tally_.give_up_carrying(event.position);
  tell(outcome(event, 2, DeliveryStatus::dead));
  tally_.begin_carrying(event.position, {1});
  EXPECT_EQ(tell_carried(event, {1}, Position::make(0, 2, 4096)), event.position);
  EXPECT_EQ(tally_.count(), 1u);
  tell(outcome(event, 1, DeliveryStatus::dead));
  EXPECT_EQ(tally_.count(), 0u);
}

// A million that wait for one webhook cost what a hundred do.
TEST_F(PendingTallyTest, CostsNothingForEachThatWaits) {
  for (int64_t second = 0; second < 50'000; ++second) {
    const SampleEvent event = make(second, {1, 2});
    tally_.on_event(event.view(), event.position);
  }
  EXPECT_EQ(tally_.count(), 100'000u);
  EXPECT_LE(tally_.memory_bytes(), 10'000u);
}

// Goal: the oldest pending event of each webhook, whatever is told in whatever order. Method:
// random events and outcomes against a plain list.
TEST_F(PendingTallyTest, FindsTheOldestPendingEventOfEachWebhook) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Prng random{seed};
    SegmentLedger ledger;
    journal::CarriedPlaces places;
    PendingTally tally(ledger, places);
    struct Told {
      SampleEvent event;
      uint32_t webhook;
      bool pending = true;
    };
    std::vector<Told> told;
    for (int step = 0; step < 300; ++step) {
      if (told.empty() || random.below(3) > 0) {  // Uids rise, but for some that come late.
        const auto second = static_cast<int64_t>(random.below(4) == 0 ? random.below(400) : step);
        const auto webhook = static_cast<uint32_t>(1 + random.below(3));
        told.push_back({make(1000 + second, {webhook}), webhook});
        if (random.below(5) == 0) {
          told.back().pending = false;
          tally.on_outcome(outcome(told.back().event, webhook,
                                   DeliveryStatus::delivered));  // It overtook its event.
        }
        tally.on_event(told.back().event.view(), told.back().event.position);
      } else {
        Told& one = told[random.below(told.size())];
        const bool ends = random.below(4) > 0;
        if (one.pending) {
          tally.on_outcome(outcome(one.event, one.webhook,
                                   ends ? DeliveryStatus::dead : DeliveryStatus::pending));
        }
        one.pending = one.pending && !ends;
      }
      std::optional<Ulid> oldest_of_all;
      for (uint32_t webhook = 1; webhook <= 4; ++webhook) {
        std::optional<Ulid> oldest;
        for (const Told& one : told) {
          if (one.webhook != webhook || !one.pending) continue;
          if (!oldest || one.event.uid < *oldest) oldest = one.event.uid;
        }
        const auto expected = oldest ? std::optional{WallTime{oldest->time()}} : std::nullopt;
        ASSERT_EQ(tally.oldest_at(webhook), expected) << seed << " " << step;
        if (oldest && (!oldest_of_all || *oldest < *oldest_of_all)) oldest_of_all = oldest;
      }
      const auto expected =
          oldest_of_all ? std::optional{WallTime{oldest_of_all->time()}} : std::nullopt;
      ASSERT_EQ(tally.oldest_at(), expected);
      tally.check();
    }
  }
}

}  // namespace
}  // namespace ringpost::control
