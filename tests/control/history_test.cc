// Goal: the index never forgets what is pending, forgets the oldest of what is settled, and comes
// to the same state in whatever order records are told. Method: a small model of events and
// outcomes, told in order, shuffled, and in excess.

#include "control/history.h"

#include "control_fakes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

using journal::DeliveryStatus;
using journal::Position;
using testing::at;

struct SampleEvent {
  Ulid uid;
  std::string id;
  std::string organization = "default";
  std::vector<std::byte> numbers;
  WallTime accepted_at{};
  Position position;

  journal::EventView view() const {
    journal::EventView view;
    view.uid = uid;
    view.id = id;
    view.organization = organization;
    view.type = "build/finished";
    view.accepted_at = accepted_at;
    view.webhook_numbers = numbers;
    return view;
  }
};

class HistoryTest : public ::testing::Test {
 protected:
  SampleEvent make(int64_t second, const std::vector<uint32_t>& numbers, uint32_t journal = 0,
                   uint32_t segment = 1) {
    SampleEvent event;
    event.uid = Ulid::mint(at(second), random_);
    event.id = event.uid.to_text();
    event.numbers = testing::pack_numbers(numbers);
    event.accepted_at = at(second);
    event.position = Position::make(journal, segment, next_offset());
    return event;
  }
  OutcomeFact outcome(const SampleEvent& event, uint32_t number, uint32_t attempt,
                      DeliveryStatus status, uint32_t journal = 0, uint32_t segment = 1) {
    OutcomeFact fact;
    fact.delivery = journal::delivery_id(event.uid, number);
    fact.event = event.position;
    fact.record = Position::make(journal, segment, next_offset());
    fact.webhook_number = number;
    fact.attempt = attempt;
    fact.status = status;
    fact.started_at = event.accepted_at;
    if (status == DeliveryStatus::pending) fact.next_attempt_at = at(100);
    return fact;
  }
  static void tell(History& history, const SampleEvent& event) {
    history.on_event(event.view(), event.position);
  }
  static std::vector<std::string> list(const History& history, uint32_t number) {
    std::vector<std::string> ids;
    for (auto walk = history.newest(number); !walk.ended(); walk.advance()) {
      ids.push_back(walk.facts().id.to_text());
    }
    return ids;
  }
  /// A uid that no event has, between this one and the next newer.
  static Ulid just_above(Ulid uid) {
    for (size_t index = uid.bytes.size(); index-- > 0 && ++uid.bytes[index] == 0;) {
    }
    return uid;
  }
  static std::vector<Ulid> list_events(const History& history, uint32_t number) {
    std::vector<Ulid> uids;
    for (auto walk = history.newest(number); !walk.ended(); walk.advance()) {
      uids.push_back(walk.facts().event_uid);
    }
    return uids;
  }
  uint32_t next_offset() { return offset_ += 8; }

  Prng random_{7};
  uint32_t offset_ = 4096;
  SegmentLedger ledger_;
};

// Goal: an attempt that was put back is none: neither the delivery nor a restart counts it. Method:
// before the first attempt and after others, and once more after it was put back.
TEST_F(HistoryTest, AStartThatIsTakenBackIsNoAttempt) {
  History history(ledger_, {});
  const SampleEvent event = make(1, {1});
  tell(history, event);
  const Ulid id = journal::delivery_id(event.uid, 1);
  Position newest;
  for (uint32_t attempt = 1; attempt <= 3; ++attempt) {
    for (int time = 0; time < 2; ++time) {
      history.on_outcome(outcome(event, 1, attempt, DeliveryStatus::in_flight));
      EXPECT_EQ(history.delivery(id)->status, DeliveryStatus::in_flight);
      EXPECT_EQ(history.delivery(id)->attempts, attempt);
      history.on_outcome(outcome(event, 1, 0, DeliveryStatus::pending));
      EXPECT_EQ(history.delivery(id)->status, DeliveryStatus::pending);
      EXPECT_EQ(history.delivery(id)->attempts, attempt - 1);
      EXPECT_EQ(history.delivery(id)->next_attempt_at, at(100));
      EXPECT_EQ(history.delivery(id)->newest_record, newest);
    }
    history.on_outcome(outcome(event, 1, attempt, DeliveryStatus::in_flight));
    const OutcomeFact end = outcome(event, 1, attempt, DeliveryStatus::pending);
    history.on_outcome(end);
    newest = end.record;
    EXPECT_EQ(history.delivery(id)->attempts, attempt);
  }
  EXPECT_EQ(history.outcomes(*history.delivery(id)).size(), 3u);
}

TEST_F(HistoryTest, KeepsTheEventsOfOneIdApartByOrganization) {
  History history(ledger_, {});
  SampleEvent ours = make(1, {1});
  SampleEvent theirs = make(2, {2});
  theirs.organization = "acme";
  theirs.id = ours.id;
  tell(history, ours);
  tell(history, theirs);
  ASSERT_EQ(history.events("default", ours.id).size(), 1u);
  EXPECT_EQ(history.events("default", ours.id)[0].uid, ours.uid);
  ASSERT_EQ(history.events("acme", ours.id).size(), 1u);
  EXPECT_EQ(history.events("acme", ours.id)[0].uid, theirs.uid);
  EXPECT_TRUE(history.events("other", ours.id).empty());
}

TEST_F(HistoryTest, CostsNothingWhileEmpty) {
  History history(ledger_, {});
  EXPECT_EQ(history.memory_bytes(), 0u);
  EXPECT_FALSE(history.oldest_pending_at());
  EXPECT_TRUE(history.newest(1).ended());
  EXPECT_FALSE(history.delivery(Ulid{}));
}

TEST_F(HistoryTest, FollowsADeliveryFromPendingToDelivered) {
  History history(ledger_, {});
  const SampleEvent event = make(1, {4, 9});
  tell(history, event);
  const Ulid id = journal::delivery_id(event.uid, 9);
  EXPECT_EQ(history.delivery(id)->status, DeliveryStatus::pending);
  EXPECT_EQ(history.pending_count(), 2u);
  history.on_outcome(outcome(event, 9, 1, DeliveryStatus::in_flight));
  EXPECT_EQ(history.delivery(id)->status, DeliveryStatus::in_flight);
  const OutcomeFact first = outcome(event, 9, 1, DeliveryStatus::pending);
  history.on_outcome(first);
  EXPECT_EQ(history.delivery(id)->status, DeliveryStatus::pending);
  EXPECT_EQ(history.delivery(id)->next_attempt_at, at(100));
  const OutcomeFact second = outcome(event, 9, 2, DeliveryStatus::delivered);
  history.on_outcome(second);
  const auto facts = history.delivery(id);
  EXPECT_EQ(facts->status, DeliveryStatus::delivered);
  EXPECT_EQ(facts->attempts, 2u);
  EXPECT_EQ(history.outcomes(*facts), (std::vector{second.record, first.record}));
  EXPECT_EQ(history.pending_count(), 1u);
  EXPECT_EQ(ledger_.unsettled_events(), 1u);
  history.on_outcome(outcome(event, 4, 0, DeliveryStatus::cancelled));
  EXPECT_EQ(ledger_.unsettled_events(), 0u);
  EXPECT_EQ(history.delivery(journal::delivery_id(event.uid, 4))->attempts, 0u);
}

TEST_F(HistoryTest, ForgetsTheOneSettledLongestAgo) {
  History history(ledger_, {.deliveries_max = 3});
  std::vector<SampleEvent> events;
  for (int64_t second = 0; second < 4; ++second) {
    events.push_back(make(second, {1}));
    tell(history, events.back());
  }
  EXPECT_EQ(history.delivery_count(), 4u);  // All pending: beyond the bound, and kept.
  history.on_outcome(outcome(events[2], 1, 1, DeliveryStatus::delivered));
  EXPECT_FALSE(history.delivery(journal::delivery_id(events[2].uid, 1)));
  history.on_outcome(outcome(events[0], 1, 1, DeliveryStatus::dead));
  history.on_outcome(outcome(events[1], 1, 1, DeliveryStatus::delivered));
  EXPECT_EQ(history.delivery_count(), 3u);
  tell(history, make(9, {1}));
  EXPECT_FALSE(history.delivery(journal::delivery_id(events[0].uid, 1)));
  EXPECT_TRUE(history.delivery(journal::delivery_id(events[1].uid, 1)));
  EXPECT_TRUE(history.delivery(journal::delivery_id(events[3].uid, 1)));
  EXPECT_EQ(list(history, 1).size(), 3u);
  EXPECT_TRUE(history.events(events[0].organization, events[0].id).empty());
}

TEST_F(HistoryTest, KeepsAnEventWhileSomeOfItsDeliveriesFallOut) {
  History history(ledger_, {.deliveries_max = 2});
  const SampleEvent event = make(1, {1, 2, 3});
  tell(history, event);
  history.on_outcome(outcome(event, 2, 1, DeliveryStatus::delivered));
  EXPECT_EQ(history.delivery_count(), 2u);
  ASSERT_EQ(history.events(event.organization, event.id).size(), 1u);
  const auto left = history.deliveries_of(history.events(event.organization, event.id)[0].index);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].webhook_number, 1u);
  EXPECT_EQ(left[1].webhook_number, 3u);
}

TEST_F(HistoryTest, BoundsEventsThatNobodyWanted) {
  History history(ledger_, {.deliveries_max = 5});
  std::vector<SampleEvent> events;
  for (int64_t second = 0; second < 20; ++second) {
    events.push_back(make(second, {}));
    tell(history, events.back());
  }
  EXPECT_TRUE(history.events(events[14].organization, events[14].id).empty());
  EXPECT_EQ(history.events(events[15].organization, events[15].id).size(), 1u);
  EXPECT_EQ(ledger_.unsettled_events(), 0u);
}

TEST_F(HistoryTest, TakesAnOutcomeBeforeItsEventWhileRunning) {
  History history(ledger_, {});
  const SampleEvent event = make(1, {1, 2});
  history.on_outcome(outcome(event, 1, 1, DeliveryStatus::delivered, 1));
  EXPECT_FALSE(history.delivery(journal::delivery_id(event.uid, 1)));
  EXPECT_TRUE(list(history, 1).empty());
  tell(history, event);
  EXPECT_EQ(list(history, 1).size(), 1u);
  EXPECT_EQ(history.delivery(journal::delivery_id(event.uid, 1))->status,
            DeliveryStatus::delivered);
  EXPECT_EQ(history.pending_count(), 1u);
  EXPECT_EQ(ledger_.unsettled_events(), 1u);
}

TEST_F(HistoryTest, GoesOnAfterTheCursorWhenNewItemsCameAndWhenItWasForgotten) {
  History history(ledger_, {.deliveries_max = 10});
  std::vector<Ulid> ids;
  std::vector<SampleEvent> events;
  for (int64_t second = 0; second < 10; ++second) {
    events.push_back(make(second, {1}));
    tell(history, events.back());
    ids.push_back(journal::delivery_id(events.back().uid, 1));
  }
  tell(history, make(50, {1}));
  EXPECT_EQ(history.after(1, events[5].uid).facts().id, ids[4]);
  history.on_outcome(outcome(events[5], 1, 1, DeliveryStatus::delivered));  // Falls out.
  ASSERT_FALSE(history.delivery(ids[5]));
  EXPECT_EQ(history.after(1, events[5].uid).facts().id, ids[4]);
  EXPECT_TRUE(history.after(1, events[0].uid).ended());
}

TEST_F(HistoryTest, DropsWhatHasNoEventWhenRecoveryEnds) {
  History history(ledger_, {});
  const SampleEvent gone = make(1, {1, 2});
  history.on_outcome(outcome(gone, 1, 1, DeliveryStatus::delivered));
  history.on_outcome(outcome(gone, 2, 1, DeliveryStatus::pending));
  const SampleEvent here = make(2, {1});
  tell(history, here);
  history.finish_recovery({});
  EXPECT_EQ(history.delivery_count(), 1u);
  EXPECT_EQ(history.pending_count(), 1u);
  EXPECT_EQ(list(history, 2).size(), 0u);
}

TEST_F(HistoryTest, TreatsEventsBelowTheMarkAsSettled) {
  History history(ledger_, {});
  tell(history, make(1, {1, 2}, 0, 3));
  tell(history, make(2, {1}, 0, 4));
  tell(history, make(3, {1}, 1, 3));
  history.finish_recovery({3});
  EXPECT_EQ(history.pending_count(), 2u);
  EXPECT_EQ(ledger_.unsettled_events(), 2u);
  std::vector<uint32_t> segments;
  history.for_each_pending([&](Position position, const Ulid&, const auto& pending) {
    EXPECT_EQ(pending.size(), 1u);
    segments.push_back(position.journal() * 100 + position.segment());
  });
  EXPECT_EQ(segments, (std::vector<uint32_t>{4, 103}));
}

TEST_F(HistoryTest, ForgetsASegmentsEventsAndNothingElse) {
  History history(ledger_, {});
  const SampleEvent old = make(1, {1, 2}, 0, 1);
  const SampleEvent bare = make(1, {}, 0, 1);
  const SampleEvent young = make(2, {1}, 0, 2);
  tell(history, old);
  tell(history, bare);
  tell(history, young);
  for (uint32_t number : {1u, 2u}) {
    history.on_outcome(outcome(old, number, 1, DeliveryStatus::delivered, 0, 2));
  }
  history.on_outcome(outcome(young, 1, 1, DeliveryStatus::delivered, 0, 2));
  history.forget_segment(0, 1);
  EXPECT_EQ(history.delivery_count(), 1u);
  EXPECT_TRUE(history.events(bare.organization, bare.id).empty());
  EXPECT_EQ(list(history, 1).size(), 1u);
  EXPECT_TRUE(history.delivery(journal::delivery_id(young.uid, 1)));
  for (int count = 0; count < 3; ++count) tell(history, make(9, {1}));  // Slots are usable again.
  EXPECT_EQ(history.delivery_count(), 4u);
}

TEST_F(HistoryTest, LetsTheEndOfAnAttemptTakeThePlaceOfItsStart) {
  History history(ledger_, {});
  const SampleEvent event = make(1, {1});
  const Ulid id = journal::delivery_id(event.uid, 1);
  tell(history, event);
  const OutcomeFact start = outcome(event, 1, 1, DeliveryStatus::in_flight);
  const OutcomeFact end = outcome(event, 1, 1, DeliveryStatus::pending);
  history.on_outcome(start);
  EXPECT_EQ(history.delivery(id)->status, DeliveryStatus::in_flight);
  EXPECT_EQ(history.outcomes(*history.delivery(id)), std::vector{start.record});
  history.on_outcome(end);
  history.on_outcome(start);  // Told late: it changes nothing.
  EXPECT_EQ(history.delivery(id)->status, DeliveryStatus::pending);
  EXPECT_EQ(history.delivery(id)->attempts, 1u);
  EXPECT_EQ(history.outcomes(*history.delivery(id)), std::vector{end.record});
}

TEST_F(HistoryTest, TakesAnAttemptWithoutEndAsOverAfterARestart) {
  History history(ledger_, {});
  const SampleEvent event = make(1, {1});
  const Ulid id = journal::delivery_id(event.uid, 1);
  tell(history, event);
  const OutcomeFact first = outcome(event, 1, 1, DeliveryStatus::in_flight);
  history.on_outcome(first);
  history.finish_recovery({});
  EXPECT_EQ(history.delivery(id)->status, DeliveryStatus::pending);
  history.for_each_pending([](Position, const Ulid&, const std::vector<PendingDelivery>& all) {
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].attempts, 1u);
    EXPECT_EQ(all[0].next_attempt_at, WallTime{});
  });
  const OutcomeFact second = outcome(event, 1, 2, DeliveryStatus::in_flight);
  history.on_outcome(second);
  EXPECT_EQ(history.outcomes(*history.delivery(id)), (std::vector{second.record, first.record}));
}

// Two shards take events within one second, and tell the control thread of them in lumps: while it
// runs the list is what it is after a restart, which reads one journal after the other. Each cursor
// goes on at the same place there, and so does one whose delivery is forgotten.
TEST_F(HistoryTest, ListsByTimeHoweverShardsTakeTurns) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Prng random{seed};
    std::vector<SampleEvent> events;
    std::array<std::vector<size_t>, 2> journals;
    for (size_t index = 0; index < 60; ++index) {
      const auto journal = static_cast<uint32_t>(random.below(2));
      SampleEvent event = make(1, {1}, journal);
      event.accepted_at = at(1) + std::chrono::microseconds(index * 700);
      event.uid = Ulid::mint(event.accepted_at, random_);
      journals[journal].push_back(index);
      events.push_back(std::move(event));
    }
    SegmentLedger ledger;
    History running(ledger, {});
    std::array<size_t, 2> told{};
    while (told[0] + told[1] < events.size()) {
      const size_t journal = random.below(2);
      for (uint64_t lump = random.below(9); lump > 0; --lump) {
        if (told[journal] == journals[journal].size()) break;
        const SampleEvent& event = events[journals[journal][told[journal]++]];
        const bool outcome_first = random.chance(1, 3);
        const auto fact = outcome(event, 1, 1, DeliveryStatus::delivered);
        if (outcome_first) running.on_outcome(fact);
        tell(running, event);
        if (!outcome_first) running.on_outcome(fact);
      }
    }
    SegmentLedger ledger_after;
    History restarted(ledger_after, {});
    for (const auto& journal : journals) {
      for (const size_t index : journal) tell(restarted, events[index]);
    }
    restarted.finish_recovery({});

    std::vector<Ulid> expected;
    for (const SampleEvent& event : events) expected.insert(expected.begin(), event.uid);
    EXPECT_EQ(list_events(running, 1), expected) << "seed " << seed;
    EXPECT_EQ(list_events(restarted, 1), expected) << "seed " << seed;
    for (size_t index = 0; index + 1 < expected.size(); ++index) {
      EXPECT_EQ(restarted.after(1, expected[index]).facts().event_uid, expected[index + 1]);
      EXPECT_EQ(restarted.after(1, just_above(expected[index])).facts().event_uid, expected[index]);
    }
    EXPECT_TRUE(restarted.after(1, expected.back()).ended());
  }
}

// With the clock set back by an hour, what comes now sorts behind what is there, and each costs no
// walk over all of that: the place of the last one is near.
TEST_F(HistoryTest, SortsInQuicklyWhileTheClockIsSetBack) {
  History history(ledger_, {});
  for (int64_t second = 0; second < 3000; ++second) tell(history, make(5000 + second, {1}));
  for (int64_t second = 0; second < 3000; ++second) tell(history, make(1000 + second, {1}));
  const auto uids = list_events(history, 1);
  EXPECT_EQ(uids.size(), 6000u);
  EXPECT_TRUE(std::is_sorted(uids.rbegin(), uids.rend()));
}

// Any order of telling gives the same pending set, attempts, and lists.
TEST_F(HistoryTest, ComesToTheSameStateInAnyOrderOfRecords) {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    Prng random(seed);
    SegmentLedger ledger;
    History history(ledger, {});
    std::vector<SampleEvent> events;
    struct Record {
      size_t event;
      bool is_event;
      OutcomeFact fact;
    };
    std::vector<Record> records;
    std::map<std::string, std::pair<DeliveryStatus, uint32_t>> expected;
    for (size_t index = 0; index < 12; ++index) {
      std::vector<uint32_t> numbers;
      for (uint32_t number = 1; number <= 5; ++number) {
        if (random.chance(1, 2)) numbers.push_back(number);
      }
      events.push_back(
          make(static_cast<int64_t>(index), numbers, static_cast<uint32_t>(random.below(3))));
      records.push_back({index, true, {}});
      for (uint32_t number : numbers) {
        const auto attempts = static_cast<uint32_t>(random.below(4));
        DeliveryStatus status = DeliveryStatus::pending;
        for (uint32_t attempt = 1; attempt <= attempts; ++attempt) {
          if (attempt == attempts && random.chance(1, 2)) {
            status = random.chance(1, 3) ? DeliveryStatus::dead : DeliveryStatus::delivered;
          }
          records.push_back({index, false, outcome(events.back(), number, attempt, status)});
        }
        expected[journal::delivery_id(events.back().uid, number).to_text()] = {status, attempts};
      }
    }
    for (size_t left = records.size(); left > 1; --left) {
      std::swap(records[left - 1], records[random.below(left)]);
    }
    for (const Record& record : records) {
      if (record.is_event) {
        tell(history, events[record.event]);
      } else {
        history.on_outcome(record.fact);
      }
    }
    history.finish_recovery({});
    uint64_t pending = 0;
    for (const auto& [id, state] : expected) {
      const auto facts = history.delivery(*Ulid::parse(id));
      ASSERT_TRUE(facts) << "seed " << seed;
      EXPECT_EQ(facts->status, state.first) << "seed " << seed;
      EXPECT_EQ(facts->attempts, state.second) << "seed " << seed;
      EXPECT_EQ(history.outcomes(*facts).size(), state.second) << "seed " << seed;
      if (state.first == DeliveryStatus::pending) ++pending;
    }
    EXPECT_EQ(history.pending_count(), pending) << "seed " << seed;
    uint64_t listed = 0;
    history.for_each_pending([&](Position, const Ulid&, const auto& all) { listed += all.size(); });
    EXPECT_EQ(listed, pending) << "seed " << seed;
    for (uint32_t number = 1; number <= 5; ++number) {
      const auto uids = list_events(history, number);
      EXPECT_TRUE(std::is_sorted(uids.rbegin(), uids.rend())) << "seed " << seed;
    }
  }
}

TEST_F(HistoryTest, StaysWithinItsBytesPerDelivery) {
  History history(ledger_, {});
  for (int64_t index = 0; index < 20'000; ++index) {
    const SampleEvent event = make(index, {1});
    tell(history, event);
    history.on_outcome(outcome(event, 1, 1, DeliveryStatus::delivered));
  }
  EXPECT_LE(history.memory_bytes() / 20'000, 125u);
}

TEST_F(HistoryTest, FindsTheOldestPendingEventAgainWhenItHasSettled) {
  History history(ledger_, {});
  const SampleEvent first = make(5, {1});
  const SampleEvent second = make(7, {1});
  tell(history, second);
  tell(history, first);
  EXPECT_EQ(history.oldest_pending_at(), at(5));
  history.on_outcome(outcome(first, 1, 1, DeliveryStatus::delivered));
  EXPECT_EQ(history.oldest_pending_at(), at(7));
  history.on_outcome(outcome(second, 1, 1, DeliveryStatus::dead));
  EXPECT_FALSE(history.oldest_pending_at());
}

// Goal: the oldest pending event of each webhook, whatever is told in whatever order, and after
// what was forgotten. Method: random events, outcomes and forgotten segments against a plain list,
// asked often and seldom.
TEST_F(HistoryTest, FindsTheOldestPendingEventOfEachWebhook) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Prng random{seed};
    SegmentLedger ledger;
    History history(ledger, {.deliveries_max = seed % 2 == 0 ? 1'000'000u : 8u});
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
          history.on_outcome(
              outcome(told.back().event, webhook, 1, DeliveryStatus::delivered));  // Overtook it.
        }
        tell(history, told.back().event);
      } else {
        Told& one = told[random.below(told.size())];
        const bool ends = random.below(4) > 0;
        if (one.pending) {
          history.on_outcome(outcome(one.event, one.webhook, 1,
                                     ends ? DeliveryStatus::dead : DeliveryStatus::pending));
        }
        one.pending = one.pending && !ends;
      }
      if (random.below(1 + seed % 20) != 0) continue;
      for (uint32_t webhook = 1; webhook <= 4; ++webhook) {
        std::optional<Ulid> oldest;
        for (const Told& one : told) {
          if (one.webhook != webhook || !one.pending) continue;
          if (!oldest || one.event.uid < *oldest) oldest = one.event.uid;
        }
        const auto expected = oldest ? std::optional{WallTime{oldest->time()}} : std::nullopt;
        ASSERT_EQ(history.oldest_pending_at(webhook), expected) << seed << " " << step;
      }
    }
  }
}

}  // namespace
}  // namespace ringpost::control
