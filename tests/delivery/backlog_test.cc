#include "delivery/backlog.h"

#include "base/prng.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>
#include <vector>

namespace ringpost::delivery {
namespace {

Waiting numbered(uint32_t number) {
  return Waiting::make({}, journal::Position::make(1, 2, number * 8), number);
}

TEST(Waiting, KeepsItsEventsPositionAndWhetherItHoldsIt) {
  const auto position = journal::Position::make(255, (1u << 28) - 1, (1u << 28) - 8);
  Waiting waiting = Waiting::make({}, position, 3);
  EXPECT_FALSE(waiting.holds_event());
  waiting.set_holds_event(true);
  EXPECT_TRUE(waiting.holds_event());
  EXPECT_EQ(waiting.event(), position);
  waiting.set_holds_event(false);
  EXPECT_FALSE(waiting.holds_event());
  EXPECT_EQ(waiting.event(), position);
}

// Against a queue that others wrote.
TEST(Lane, IsAQueue) {
  Prng random(1);
  Lane lane;
  std::deque<uint32_t> model;
  uint32_t next = 0;
  for (uint32_t step = 0; step < 20'000; ++step) {
    const bool grows = random.below(1000) < (step / 4000 % 2 == 0 ? 600 : 400);
    if (grows) {
      lane.push_back(numbered(next));
      model.push_back(next++);
    } else if (!model.empty()) {
      ASSERT_EQ(lane.front().attempts, model.front());
      ASSERT_EQ(lane.pop_front().attempts, model.front());
      model.pop_front();
    }
    ASSERT_EQ(lane.size(), model.size());
    ASSERT_EQ(lane.empty(), model.empty());
  }
}

TEST(Lane, MayBeLongWhenItEnds) {
  Lane lane;
  for (uint32_t number = 0; number < 3'000'000; ++number) lane.push_back(numbered(number));
  EXPECT_EQ(lane.size(), 3'000'000u);
}

TEST(RetryHeap, GivesTheFirstThatIsDue) {
  Prng random(2);
  RetryHeap heap;
  std::multimap<uint32_t, uint32_t> model;
  for (uint32_t step = 0; step < 20'000; ++step) {
    if (random.below(3) > 0) {
      Waiting one = numbered(step);
      one.due = static_cast<uint32_t>(random.below(1000));
      heap.push(one);
      model.emplace(one.due, step);
    } else if (!model.empty()) {
      ASSERT_EQ(heap.front().due, model.begin()->first);
      ASSERT_EQ(heap.pop().due, model.begin()->first);
      model.erase(model.begin());
    }
    ASSERT_EQ(heap.size(), model.size());
  }
  EXPECT_GT(heap.size(), 5'000u);
  for (const auto& [due, step] : model) ASSERT_EQ(heap.pop().due, due);
  EXPECT_TRUE(heap.empty());
}

// Goal: memory is taken and freed in pieces: what is in it stays right around their ends.
TEST(RetryHeap, GrowsAndShrinksAgainAndAgain) {
  RetryHeap heap;
  std::multiset<uint32_t> model;
  Prng random(3);
  for (const uint32_t size : {127u, 129u, 64u, 300u, 128u, 0u, 257u, 1u, 1'000u, 63u, 129u, 0u}) {
    while (heap.size() < size) {
      Waiting one;
      one.due = static_cast<uint32_t>(random.below(1'000'000));
      heap.push(one);
      model.insert(one.due);
    }
    while (heap.size() > size) {
      ASSERT_EQ(heap.pop().due, *model.begin());
      model.erase(model.begin());
    }
    ASSERT_EQ(heap.size(), model.size());
  }
}

TEST(RetryHeap, KnowsTheOrderWhenTheTicksGoRound) {
  RetryHeap heap;
  for (const uint32_t due : {5u, 0xffff'fff0u, 0u, 0xffff'ffffu}) {
    Waiting one;
    one.due = due;
    heap.push(one);
  }
  std::vector<uint32_t> order;
  while (!heap.empty()) order.push_back(heap.pop().due);
  EXPECT_EQ(order, (std::vector<uint32_t>{0xffff'fff0u, 0xffff'ffffu, 0u, 5u}));
}

}  // namespace
}  // namespace ringpost::delivery
