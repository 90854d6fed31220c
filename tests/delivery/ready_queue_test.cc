#include "delivery/round.h"
#include "delivery/target.h"

#include <gtest/gtest.h>

#include <deque>

namespace ringpost::delivery {
namespace {

class ReadyQueueTest : public testing::Test {
 protected:
  Delivery& add(uint32_t attempts, uint8_t id) {
    Delivery& delivery = deliveries_.emplace_back();
    delivery.attempts = attempts;
    delivery.id.bytes[0] = id;
    queue_.push_back(delivery);
    return delivery;
  }

  std::deque<Delivery> deliveries_;
  ReadyQueue queue_;
};

TEST_F(ReadyQueueTest, GivesRetriesEveryFifthStartWhileFreshOnesWait) {
  for (uint8_t index = 0; index < 100; ++index) {
    add(0, index);
    add(1, index);
  }
  int retries = 0;
  for (int index = 0; index < 100; ++index) {
    Delivery& next = queue_.next(64, 0);
    retries += next.attempts > 0 ? 1 : 0;
    next.ready_link.unlink();
  }
  EXPECT_EQ(retries, 20);
}

TEST_F(ReadyQueueTest, GivesRetriesAFifthOfThePlacesWhileFreshOnesWait) {
  for (uint8_t index = 0; index < 10; ++index) add(0, index);
  add(1, 10);
  for (int index = 0; index < 9; ++index) EXPECT_EQ(queue_.next(20, 4).attempts, 0u);
}

TEST_F(ReadyQueueTest, GivesEitherEverythingWhereTheOtherIsEmpty) {
  add(1, 1);
  EXPECT_EQ(queue_.next(1, 1).attempts, 1u);
  deliveries_.clear();
  EXPECT_TRUE(queue_.empty());
  add(0, 1);
  EXPECT_EQ(queue_.next(1, 1).attempts, 0u);
}

TEST_F(ReadyQueueTest, KnowsTheOldest) {
  add(0, 3);
  add(2, 2);
  add(0, 1);  // Behind the first of its lane.
  EXPECT_EQ(queue_.oldest().id.bytes[0], 2);
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
