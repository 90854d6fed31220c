// Goal: what is pending is never forgotten, what has ended is, attempts keep their numbers, and all
// of it is the same in whatever order journals are read.
// Method: a small model of events and outcomes, told in order and shuffled.

#include "control/pending_table.h"

#include "control_fakes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using index::Outcome;
using index::PendingDelivery;
using journal::DeliveryStatus;
using journal::Position;
using testing::at;

struct SampleEvent {
  Ulid uid;
  std::vector<std::byte> numbers;
  WallTime accepted_at{};
  Position position;

  journal::EventView view() const {
    journal::EventView view;
    view.uid = uid;
    view.accepted_at = accepted_at;
    view.webhook_numbers = numbers;
    return view;
  }
};

class PendingTableTest : public ::testing::Test {
 protected:
  SampleEvent make(int64_t second, const std::vector<uint32_t>& numbers, uint32_t journal = 0,
                   uint32_t segment = 1) {
    return {.uid = Ulid::mint(at(second), random_),
            .numbers = testing::pack_numbers(numbers),
            .accepted_at = at(second),
            .position = Position::make(journal, segment, next_offset())};
  }
  Outcome outcome(const SampleEvent& event, uint32_t number, uint32_t attempt,
                  DeliveryStatus status, uint32_t journal = 0) {
    return {.delivery = {event.position, number},
            .record = Position::make(journal, 9, next_offset()),
            .attempt = attempt,
            .status = status,
            .started_at = event.accepted_at,
            .next_attempt_at = status == DeliveryStatus::pending ? at(100) : WallTime{}};
  }
  static void tell(PendingTable& table, const SampleEvent& event) {
    table.on_event(event.view(), event.position);
    table.check();
  }
  static void tell(PendingTable& table, const Outcome& outcome) {
    table.on_outcome(outcome);
    table.check();
  }
  /// What a start gets, in the order of events and webhooks.
  static std::vector<PendingDelivery> all(const PendingTable& table) {
    std::vector<PendingDelivery> found;
    Position before;
    table.for_each([&](Position position, const Ulid&, const auto& pending) {
      EXPECT_LT(before, position);
      before = position;
      found.insert(found.end(), pending.begin(), pending.end());
    });
    EXPECT_EQ(found.size(), table.count());
    return found;
  }
  uint32_t next_offset() { return offset_ += 8; }

  Prng random_{7};
  uint32_t offset_ = 4096;
  SegmentLedger ledger_;
  journal::CarriedPlaces places_;
};

TEST_F(PendingTableTest, FollowsADeliveryToItsEnd) {
  PendingTable table(ledger_, places_);
  const SampleEvent event = make(1, {4, 9});
  tell(table, event);
  EXPECT_EQ(table.count(), 2u);
  tell(table, outcome(event, 9, 1, DeliveryStatus::in_flight));
  tell(table, outcome(event, 9, 1, DeliveryStatus::pending));
  ASSERT_EQ(all(table).size(), 2u);
  EXPECT_EQ(all(table)[0].webhook_number, 4u);
  EXPECT_EQ(all(table)[0].attempts, 0u);
  EXPECT_EQ(all(table)[1].attempts, 1u);
  EXPECT_EQ(all(table)[1].next_attempt_at, at(100));
  tell(table, outcome(event, 9, 2, DeliveryStatus::delivered));
  EXPECT_EQ(table.count(), 1u);
  tell(table, outcome(event, 4, 0, DeliveryStatus::cancelled));
  EXPECT_EQ(table.count(), 0u);
  EXPECT_TRUE(all(table).empty());
}

TEST_F(PendingTableTest, ForgetsAnEventThatNobodyWantsAtOnce) {
  PendingTable table(ledger_, places_);
  tell(table, make(1, {}));
  EXPECT_TRUE(all(table).empty());
}

// Goal: an attempt that was put back is none. Method: before the first attempt and after others,
// and once more after it was put back.
TEST_F(PendingTableTest, AStartThatIsTakenBackIsNoAttempt) {
  PendingTable table(ledger_, places_);
  const SampleEvent event = make(1, {1});
  tell(table, event);
  for (uint32_t attempt = 1; attempt <= 3; ++attempt) {
    for (int time = 0; time < 2; ++time) {
      tell(table, outcome(event, 1, attempt, DeliveryStatus::in_flight));
      EXPECT_EQ(all(table)[0].attempts, attempt);
      tell(table, outcome(event, 1, 0, DeliveryStatus::pending));
      EXPECT_EQ(all(table)[0].attempts, attempt - 1);
      EXPECT_EQ(all(table)[0].next_attempt_at, at(100));
    }
    tell(table, outcome(event, 1, attempt, DeliveryStatus::in_flight));
    tell(table, outcome(event, 1, attempt, DeliveryStatus::pending));
    EXPECT_EQ(all(table)[0].attempts, attempt);
  }
}

// The number of an attempt that was put back is used again, after a start with another number of
// shards by another journal. Whichever of the two is read first, the attempt that may have reached
// the receiver counts: its number must not be used a second time.
TEST_F(PendingTableTest, AnAttemptThatAnotherJournalTellsOfIsNotTakenBack) {
  for (const bool newer_first : {true, false}) {
    for (const bool ended : {true, false}) {
      for (uint32_t before = 0; before < 3; ++before) {
        PendingTable table(ledger_, places_);
        const SampleEvent event = make(1, {1});
        tell(table, event);
        std::vector<Outcome> older;
        for (uint32_t attempt = 1; attempt <= before; ++attempt) {
          older.push_back(outcome(event, 1, attempt, DeliveryStatus::in_flight, 0));
          older.push_back(outcome(event, 1, attempt, DeliveryStatus::pending, 0));
        }
        older.push_back(outcome(event, 1, before + 1, DeliveryStatus::in_flight, 0));
        older.push_back(outcome(event, 1, 0, DeliveryStatus::pending, 0));
        std::vector<Outcome> newer{outcome(event, 1, before + 1, DeliveryStatus::in_flight, 1)};
        if (ended) newer.push_back(outcome(event, 1, before + 1, DeliveryStatus::pending, 1));
        for (const auto& one : newer_first ? newer : older) tell(table, one);
        for (const auto& one : newer_first ? older : newer) tell(table, one);
        EXPECT_EQ(all(table)[0].attempts, before + 1) << newer_first << ended << before;
      }
    }
  }
}

TEST_F(PendingTableTest, TakesAnOutcomeBeforeItsEvent) {
  PendingTable table(ledger_, places_);
  const SampleEvent event = make(1, {1, 2});
  tell(table, outcome(event, 1, 1, DeliveryStatus::delivered, 1));
  EXPECT_EQ(table.count(), 0u);
  tell(table, event);
  EXPECT_EQ(table.count(), 1u);
  EXPECT_EQ(all(table)[0].webhook_number, 2u);
}

// What has ended is forgotten: what comes after its end must not make it pending again.
TEST_F(PendingTableTest, HearsNothingOfADeliveryAfterItsEnd) {
  PendingTable table(ledger_, places_);
  const SampleEvent event = make(1, {1, 2});
  tell(table, event);
  tell(table, outcome(event, 1, 1, DeliveryStatus::cancelled));
  for (const auto status : {DeliveryStatus::in_flight, DeliveryStatus::pending,
                            DeliveryStatus::delivered, DeliveryStatus::dead}) {
    tell(table, outcome(event, 1, 2, status, 1));
  }
  EXPECT_EQ(table.count(), 1u);
  tell(table, outcome(event, 2, 1, DeliveryStatus::delivered));
  tell(table, outcome(event, 2, 2, DeliveryStatus::in_flight));
  EXPECT_EQ(table.count(), 0u);
}

TEST_F(PendingTableTest, DropsWhatHasNoEventWhenRecoveryEnds) {
  PendingTable table(ledger_, places_);
  const SampleEvent gone = make(1, {1, 2}, 1);
  tell(table, outcome(gone, 1, 1, DeliveryStatus::delivered));
  tell(table, outcome(gone, 2, 1, DeliveryStatus::pending));
  tell(table, make(2, {1}));
  table.finish_recovery({});
  table.check();
  EXPECT_EQ(all(table).size(), 1u);
}

TEST_F(PendingTableTest, TreatsEventsBelowTheMarkAsSettled) {
  PendingTable table(ledger_, places_);
  tell(table, make(1, {1, 2}, 0, 3));
  tell(table, make(2, {1}, 0, 4));
  tell(table, make(3, {1}, 1, 3));
  table.finish_recovery({3});
  table.check();
  EXPECT_EQ(table.count(), 2u);
  std::vector<uint32_t> segments;
  table.for_each([&](Position position, const Ulid&, const auto& pending) {
    EXPECT_EQ(pending.size(), 1u);
    segments.push_back(position.journal() * 100 + position.segment());
  });
  EXPECT_EQ(segments, (std::vector<uint32_t>{4, 103}));
}

// Journals are read in any order, each from its begin to its end.
TEST_F(PendingTableTest, ComesToTheSameStateInAnyOrderOfJournals) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Prng random(seed);
    SegmentLedger ledger;
    journal::CarriedPlaces places;
    PendingTable table(ledger, places);
    std::vector<SampleEvent> events;
    std::map<uint64_t, std::pair<const SampleEvent*, Outcome>> records[3];  // By position.
    std::map<std::pair<uint64_t, uint32_t>, uint32_t> expected;             // Attempts.
    events.reserve(12);
    for (int64_t second = 0; second < 12; ++second) {
      std::vector<uint32_t> numbers;
      for (uint32_t number = 1; number <= 5; ++number) {
        if (random.chance(1, 2)) numbers.push_back(number);
      }
      events.push_back(make(second, numbers, static_cast<uint32_t>(random.below(3))));
      const SampleEvent& event = events.back();
      records[event.position.journal()][event.position.packed] = {&event, {}};
      for (const uint32_t number : numbers) {
        const auto journal = static_cast<uint32_t>(random.below(3));
        const auto attempts = static_cast<uint32_t>(random.below(4));
        bool ended = false;
        for (uint32_t attempt = 1; attempt <= attempts; ++attempt) {
          ended = attempt == attempts && random.chance(1, 2);
          const auto status = ended ? DeliveryStatus::dead : DeliveryStatus::pending;
          for (const auto each : {DeliveryStatus::in_flight, status}) {
            const Outcome told = outcome(event, number, attempt, each, journal);
            records[journal][told.record.packed] = {nullptr, told};
          }
        }
        if (!ended) expected[{event.position.packed, number}] = attempts;
      }
    }
    std::vector<uint32_t> order{0, 1, 2};
    std::ranges::rotate(order, order.begin() + static_cast<std::ptrdiff_t>(seed % 3));
    if (seed % 2 == 0) std::ranges::reverse(order);
    for (const uint32_t journal : order) {
      for (const auto& [packed, record] : records[journal]) {
        if (record.first != nullptr) {
          tell(table, *record.first);
        } else {
          tell(table, record.second);
        }
      }
    }
    table.finish_recovery({});
    table.check();
    std::map<std::pair<uint64_t, uint32_t>, uint32_t> found;
    table.for_each([&](Position position, const Ulid&, const auto& pending) {
      for (const PendingDelivery& one : pending) {
        found[{position.packed, one.webhook_number}] = one.attempts;
      }
    });
    ASSERT_EQ(found, expected);
  }
}

TEST_F(PendingTableTest, CostsLittleAndNothingOfWhatHasEnded) {
  PendingTable table(ledger_, places_);
  EXPECT_EQ(table.memory_bytes(), 0u);
  std::vector<SampleEvent> events;
  for (int64_t index = 0; index < 20'000; ++index) {
    events.push_back(make(index, {1}));
    table.on_event(events.back().view(), events.back().position);
  }
  const size_t full = table.memory_bytes();
  EXPECT_LE(full / 20'000, 72u);
  for (int round = 0; round < 3; ++round) {
    for (SampleEvent& event : events) {
      table.on_outcome(outcome(event, 1, 1, DeliveryStatus::delivered));
      event = make(30'000, {1});
      table.on_event(event.view(), event.position);
    }
  }
  EXPECT_EQ(table.memory_bytes(), full);
}

// Goal: each delivery goes to one shard, in the order of the events, though they came in another.
TEST_F(PendingTableTest, GivesEachShardItsPart) {
  PendingTable table(ledger_, places_);
  const SampleEvent first = make(1, {1, 2, 3}, 0);
  const SampleEvent second = make(2, {1, 2}, 0);
  const SampleEvent other = make(3, {3, 4}, 1);
  for (const SampleEvent* event : {&other, &first, &second}) tell(table, *event);
  tell(table, outcome(second, 2, 1, DeliveryStatus::delivered, 1));
  table.finish_recovery({});
  table.assign([](uint32_t webhook_number) { return webhook_number % 2; });
  using Given = std::vector<std::pair<Position, uint32_t>>;
  const auto part_of = [&](uint32_t shard) {
    Given given;
    table.for_each(shard, [&](Position position, const Ulid&, const auto& pending) {
      for (const PendingDelivery& one : pending) given.emplace_back(position, one.webhook_number);
    });
    return given;
  };
  EXPECT_EQ(part_of(0), (Given{{first.position, 2}, {other.position, 4}}));
  EXPECT_EQ(
      part_of(1),
      (Given{{first.position, 1}, {first.position, 3}, {second.position, 1}, {other.position, 3}}));
  EXPECT_TRUE(part_of(2).empty());
}

}  // namespace
}  // namespace ringpost::control
