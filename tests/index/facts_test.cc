// Goal: what several outcomes of a delivery come to does not depend on where they were found.
// Method: short stories of one delivery, told in every order.

#include "index/facts.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ringpost::index {
namespace {

constexpr WallTime at(int64_t second) {
  return from_unix_ns(second * 1'000'000'000);
}

Position in_journal(uint32_t journal, uint32_t offset) {
  return Position::make(journal, 1, offset * 8);
}

Outcome outcome(Position record, uint32_t attempt, DeliveryStatus status, int64_t due = 0) {
  return {.delivery = {Position::make(0, 1, 4096), 7},
          .record = record,
          .attempt = attempt,
          .status = status,
          .next_attempt_at = at(due)};
}

/// Tells the story in every order, and expects the same of each.
DeliveryState state_of(std::vector<Outcome> story) {
  std::vector<size_t> order(story.size());
  for (size_t index = 0; index < order.size(); ++index) order[index] = index;
  std::optional<DeliveryState> first;
  do {
    std::vector<Outcome> told;
    for (const size_t index : order) told.push_back(story[index]);
    const DeliveryState state = resolve(told);
    if (!first) first = state;
    EXPECT_EQ(state.status, first->status);
    EXPECT_EQ(state.attempts, first->attempts);
    EXPECT_EQ(state.next_attempt_at, first->next_attempt_at);
    EXPECT_EQ(state.records, first->records);
    EXPECT_EQ(state.superseded, first->superseded);
  } while (std::ranges::next_permutation(order).found);
  return *first;
}

using enum DeliveryStatus;

TEST(Resolve, IsPendingAtOnceWithoutOutcomes) {
  const DeliveryState state = state_of({});
  EXPECT_EQ(state.status, pending);
  EXPECT_EQ(state.attempts, 0u);
  EXPECT_EQ(state.next_attempt_at, at(0));
  EXPECT_TRUE(state.records.empty());
}

TEST(Resolve, CountsAnAttemptOnceByItsEnd) {
  const DeliveryState state = state_of({outcome(in_journal(0, 1000), 1, in_flight),
                                        outcome(in_journal(0, 1001), 1, pending, 5),
                                        outcome(in_journal(0, 1002), 2, in_flight)});
  EXPECT_EQ(state.status, in_flight);
  EXPECT_EQ(state.attempts, 2u);
  EXPECT_EQ(state.records, (std::vector{in_journal(0, 1002), in_journal(0, 1001)}));
}

TEST(Resolve, TakesAnAttemptOfAnEarlierRunForOver) {
  Outcome begun = outcome(in_journal(0, 1000), 1, in_flight);
  begun.of_earlier_run = true;
  const DeliveryState state = state_of({begun});
  EXPECT_EQ(state.status, pending);
  EXPECT_EQ(state.attempts, 1u);
  EXPECT_EQ(state.next_attempt_at, at(0));
}

TEST(Resolve, DoesNotCountAnAttemptThatWasTakenBack) {
  const DeliveryState state = state_of({outcome(in_journal(0, 1000), 1, pending, 5),
                                        outcome(in_journal(0, 1001), 2, in_flight),
                                        outcome(in_journal(0, 1002), 0, pending, 9)});
  EXPECT_EQ(state.status, pending);
  EXPECT_EQ(state.attempts, 1u);
  EXPECT_EQ(state.next_attempt_at, at(9));
  EXPECT_EQ(state.records, std::vector{in_journal(0, 1000)});
}

// The number of an attempt that was taken back is used again, perhaps by another shard.
TEST(Resolve, TakesBackTheAttemptOfTheSameJournal) {
  Outcome begun = outcome(in_journal(0, 1000), 1, in_flight);
  begun.of_earlier_run = true;
  const DeliveryState state = state_of({outcome(in_journal(1, 1000), 1, in_flight),
                                        outcome(in_journal(1, 1001), 0, pending, 9), begun});
  EXPECT_EQ(state.status, pending);
  EXPECT_EQ(state.attempts, 1u);
  EXPECT_EQ(state.next_attempt_at, at(0));
  EXPECT_EQ(state.records, std::vector{in_journal(0, 1000)});
}

// An endpoint moves to another shard, whose journal has a smaller number, with the next start.
TEST(Resolve, KeepsWhatAnotherJournalTellsOfLaterAttempts) {
  const DeliveryState state = state_of(
      {outcome(in_journal(1, 1000), 1, in_flight), outcome(in_journal(1, 1001), 0, pending, 9),
       outcome(in_journal(0, 1000), 1, pending, 20), outcome(in_journal(0, 1001), 2, pending, 30)});
  EXPECT_EQ(state.attempts, 2u);
  EXPECT_EQ(state.next_attempt_at, at(30));
  EXPECT_EQ(state.records, (std::vector{in_journal(0, 1001), in_journal(0, 1000)}));
}

TEST(Resolve, PrefersWhatReachedTheReceiver) {
  const DeliveryState state = state_of({outcome(in_journal(0, 1000), 1, in_flight),
                                        outcome(in_journal(0, 1001), 0, cancelled),
                                        outcome(in_journal(0, 1002), 1, delivered)});
  EXPECT_EQ(state.status, delivered);
  EXPECT_EQ(state.attempts, 1u);
  EXPECT_EQ(state_of({outcome(in_journal(0, 1), 0, cancelled), outcome(in_journal(1, 1), 1, dead)})
                .status,
            dead);
}

TEST(Resolve, TellsWhatWasSupersededFromWhatWasCancelledOtherwise) {
  Outcome superseding = outcome(in_journal(0, 1001), 0, cancelled);
  superseding.failed = true;
  superseding.error = Errc::cancelled;
  const Outcome failed = outcome(in_journal(0, 1000), 1, pending);
  EXPECT_TRUE(state_of({failed, superseding}).superseded);
  EXPECT_FALSE(state_of({failed, outcome(in_journal(0, 1001), 0, cancelled)}).superseded);
  EXPECT_FALSE(state_of({superseding, outcome(in_journal(0, 1002), 1, delivered)}).superseded)
      << "it arrived after all";
}

TEST(Resolve, TakesAnOutcomeWithoutARecordForTheNewest) {
  const DeliveryState state =
      state_of({outcome(in_journal(0, 1000), 1, pending, 5), outcome(Position{}, 2, delivered)});
  EXPECT_EQ(state.status, delivered);
  EXPECT_EQ(state.attempts, 2u);
  EXPECT_EQ(state.records, std::vector{in_journal(0, 1000)});
}

TEST(ToOutcome, RoundsTimesSoThatNothingIsEarly) {
  journal::OutcomeView view;
  view.status = pending;
  view.started_at = from_unix_ns(1'000'000'001'999);
  view.next_attempt_at = from_unix_ns(2'000'000'000'001);
  const Outcome kept = to_outcome(view, in_journal(0, 1000));
  EXPECT_EQ(kept.started_at, from_unix_ns(1'000'000'001'000));
  EXPECT_EQ(kept.next_attempt_at, at(2001));
}

// A record may hold any number where a time should be.
TEST(ToOutcome, TakesTimesThatNoClockShows) {
  journal::OutcomeView view;
  view.status = pending;
  for (const int64_t ns : {INT64_MIN, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    view.started_at = from_unix_ns(ns);
    view.next_attempt_at = from_unix_ns(ns);
    const Outcome kept = to_outcome(view, in_journal(0, 1000));
    EXPECT_GE(kept.started_at, at(0));
    EXPECT_GE(kept.next_attempt_at, at(0));
    EXPECT_LE(kept.next_attempt_at, at(0xffff'ffff));
  }
}

TEST(TextHash, KeepsOrganizationsApart) {
  const TextHash hash(1);
  EXPECT_EQ(hash.of("acme", "7"), hash.of("acme", "7"));
  EXPECT_NE(hash.of("acme", "7"), hash.of("other", "7"));
  EXPECT_NE(hash.of("ab", "c"), hash.of("a", "bc"));
  EXPECT_NE(hash.of("acme", "7"), TextHash(2).of("acme", "7"));
}

}  // namespace
}  // namespace ringpost::index
