#include "delivery/round.h"
#include "delivery/target.h"

#include <gtest/gtest.h>

#include <deque>

namespace ringpost::delivery {
namespace {

class ReadyQueueTest : public testing::Test {
 protected:
  void add(uint32_t attempts, uint8_t id) {
    Waiting waiting;
    waiting.id.bytes[0] = id;
    waiting.attempts = attempts;
    queue_.push_back(waiting);
  }
  uint32_t attempts_of_next(uint32_t places, uint32_t retries_in_place) {
    return queue_.next(places, retries_in_place).lane->front().attempts;
  }

  ReadyQueue queue_;
};

TEST_F(ReadyQueueTest, GivesRetriesEveryFifthStartWhileFreshOnesWait) {
  for (uint8_t index = 0; index < 100; ++index) {
    add(0, index);
    add(1, index);
  }
  int retries = 0;
  for (int index = 0; index < 100; ++index) {
    const ReadyQueue::Place next = queue_.next(64, 0);
    retries += next.lane->pop_front().attempts > 0 ? 1 : 0;
  }
  EXPECT_EQ(retries, 20);
}

TEST_F(ReadyQueueTest, GivesRetriesAFifthOfThePlacesWhileFreshOnesWait) {
  for (uint8_t index = 0; index < 10; ++index) add(0, index);
  add(1, 10);
  for (int index = 0; index < 9; ++index) EXPECT_EQ(attempts_of_next(20, 4), 0u);
}

TEST_F(ReadyQueueTest, GivesEitherEverythingWhereTheOtherIsEmpty) {
  add(1, 1);
  EXPECT_EQ(attempts_of_next(1, 1), 1u);
  EXPECT_EQ(queue_.take_waiting()[1].size(), 1u);
  EXPECT_TRUE(queue_.empty());
  add(0, 1);
  EXPECT_EQ(attempts_of_next(1, 1), 0u);
}

TEST_F(ReadyQueueTest, GivesWhatGoesFirstBeforeAllOthers) {
  add(0, 1);
  add(1, 2);
  Delivery first;
  Delivery second;
  queue_.push_first(first);
  queue_.push_first(second);
  EXPECT_EQ(queue_.next(1, 0).delivery, &first);
  first.ready_link.unlink();
  EXPECT_EQ(queue_.next(1, 0).delivery, &second);
  second.ready_link.unlink();
  EXPECT_NE(queue_.next(1, 0).lane, nullptr);
  EXPECT_EQ(queue_.waiting(), 2u);
}

TEST_F(ReadyQueueTest, KnowsTheOldest) {
  add(0, 3);
  add(2, 2);
  add(0, 1);  // Behind the first of its lane.
  EXPECT_EQ(queue_.oldest().id().bytes[0], 2);
  Delivery older;
  older.id.bytes[0] = 1;
  queue_.push_first(older);
  EXPECT_EQ(queue_.oldest().delivery, &older);
}

// Goal: a thousand webhooks of one organization take no more turns than one of another.
TEST(Round, GivesOrganizationsEqualTurns) {
  ActiveRound round;
  Organization many;
  Organization one;
  std::deque<Target> targets;
  alignas(16) char unused[16];  // Nothing here asks their dispatcher.
  auto& dispatcher = reinterpret_cast<Dispatcher&>(unused);
  for (uint32_t number = 0; number < 1001; ++number) {
    Target& target = targets.emplace_back(dispatcher, number);
    target.organization = number == 1000 ? &one : &many;
    round.push_back(target);
  }
  int turns_of_one = 0;
  for (int turn = 0; turn < 200; ++turn) {
    Target* next = round.pop_front();
    ASSERT_NE(next, nullptr);
    turns_of_one += next->organization == &one ? 1 : 0;
    round.push_back(*next);
  }
  EXPECT_EQ(turns_of_one, 100);
  targets.clear();  // They leave on their own.
  while (!round.empty()) EXPECT_EQ(round.pop_front(), nullptr);
}

}  // namespace
}  // namespace ringpost::delivery
