#include "io/timer_wheel.h"

#include "base/prng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

namespace ringpost::io {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Instant at(Duration since_start) {
  return Instant{hours{1000} + since_start};
}

constexpr Duration revolution = TimerWheel::tick * TimerWheel::slot_count;

/// A timer that records when it ran.
struct Alarm {
  Timer timer;
  std::function<void()> on_run;

  void arm(TimerWheel& wheel, Instant due) {
    wheel.arm(timer, due, this, [](void* self) { static_cast<Alarm*>(self)->on_run(); });
  }
};

class TimerWheelTest : public testing::Test {
 protected:
  void SetUp() override { wheel_.expire(at({})); }

  /// Arms a timer whose runs are noted in `runs_` under `name`.
  Alarm& arm(Duration delay, int name) {
    Alarm& alarm = *alarms_.emplace_back(std::make_unique<Alarm>());
    alarm.on_run = [this, name] { runs_.push_back(name); };
    alarm.arm(wheel_, at(delay));
    return alarm;
  }

  TimerWheel wheel_;
  std::vector<std::unique_ptr<Alarm>> alarms_;
  std::vector<int> runs_;
};

TEST_F(TimerWheelTest, RunsNothingEarlyAndAllWithinATick) {
  arm(milliseconds{10}, 1);
  EXPECT_EQ(wheel_.expire(at(milliseconds{10} - Duration{1})), 0u);
  EXPECT_EQ(wheel_.expire(at(milliseconds{10} + TimerWheel::tick)), 1u);
  EXPECT_EQ(wheel_.armed_count(), 0u);
  EXPECT_EQ(wheel_.expire(at(seconds{1})), 0u);
}

TEST_F(TimerWheelTest, RunsInOrderOfTicksAcrossRevolutions) {
  // The same slot four times, its neighbour in between; armed out of order.
  arm(2 * revolution + seconds{1}, 5);
  arm(seconds{1}, 1);
  arm(revolution + seconds{1} + TimerWheel::tick, 4);
  arm(seconds{1} + TimerWheel::tick, 2);
  arm(revolution + seconds{1}, 3);
  EXPECT_EQ(wheel_.expire(at(3 * revolution)), 5u);
  EXPECT_EQ(runs_, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST_F(TimerWheelTest, PassesOverTimersOfLaterRevolutions) {
  arm(revolution + seconds{1}, 2);
  arm(seconds{1}, 1);
  wheel_.expire(at(seconds{2}));
  EXPECT_EQ(runs_, std::vector<int>{1});
  wheel_.expire(at(revolution));
  EXPECT_EQ(runs_, std::vector<int>{1});
  wheel_.expire(at(revolution + seconds{2}));
  EXPECT_EQ(runs_, (std::vector<int>{1, 2}));
}

// Goal: a shard at rest does not wake up for nothing, however far its only deadline is.
TEST_F(TimerWheelTest, NextDueIsTheDeadlineItselfHoweverFar) {
  EXPECT_FALSE(wheel_.next_due());
  for (const Duration delay :
       {Duration{hours{24}}, Duration{revolution}, Duration{seconds{60}}, Duration{seconds{1}}}) {
    arm(delay, 0);
    const Instant due = wheel_.next_due().value();
    EXPECT_GE(due, at(delay));
    EXPECT_LE(due, at(delay) + TimerWheel::tick);
  }
  EXPECT_EQ(wheel_.armed_count(), 4u);
}

TEST_F(TimerWheelTest, NextDueForgetsTheDisarmed) {
  Alarm& first = arm(seconds{1}, 1);
  arm(hours{1}, 2);
  wheel_.disarm(first.timer);
  wheel_.disarm(first.timer);
  EXPECT_GE(wheel_.next_due().value(), at(hours{1}));
  EXPECT_EQ(wheel_.armed_count(), 1u);
  alarms_.clear();  // Destroyed while armed.
  EXPECT_EQ(wheel_.armed_count(), 0u);
  EXPECT_FALSE(wheel_.next_due());
  EXPECT_EQ(wheel_.expire(at(hours{2})), 0u);
}

TEST_F(TimerWheelTest, ArmingAgainMoves) {
  Alarm& alarm = arm(seconds{1}, 1);
  alarm.arm(wheel_, at(seconds{5}));
  EXPECT_EQ(wheel_.armed_count(), 1u);
  EXPECT_EQ(alarm.timer.due(), at(seconds{5}));
  EXPECT_EQ(wheel_.expire(at(seconds{4})), 0u);
  EXPECT_EQ(wheel_.expire(at(seconds{6})), 1u);
}

TEST_F(TimerWheelTest, HandlerMayDisarmMoveAndDestroyItsNeighbours) {
  Alarm& first = arm(seconds{1}, 1);
  Alarm& disarmed = arm(seconds{1}, 2);
  Alarm& moved = arm(seconds{1}, 3);
  arm(seconds{1}, 4);
  arm(seconds{1}, 5);
  first.on_run = [&] {
    runs_.push_back(1);
    wheel_.disarm(disarmed.timer);
    moved.arm(wheel_, at(seconds{2}));
    alarms_[3].reset();
  };
  EXPECT_EQ(wheel_.expire(at(seconds{1} + TimerWheel::tick)), 2u);
  EXPECT_EQ(runs_, (std::vector<int>{1, 5}));
  EXPECT_EQ(wheel_.armed_count(), 1u);
  EXPECT_EQ(wheel_.expire(at(seconds{3})), 1u);
  EXPECT_EQ(runs_.back(), 3);
}

TEST_F(TimerWheelTest, ArmedForThePastRunsInTheNextTickOnly) {
  Alarm& alarm = arm(seconds{1}, 1);
  int runs = 0;
  alarm.on_run = [&] {
    ++runs;
    alarm.arm(wheel_, at(-seconds{5}));
  };
  wheel_.expire(at(seconds{2}));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(wheel_.expire(at(seconds{2})), 0u);
  EXPECT_EQ(wheel_.expire(at(seconds{2} + TimerWheel::tick)), 1u);
  EXPECT_EQ(runs, 2);
  wheel_.disarm(alarm.timer);
}

// Goal: the wheel does what a plain sorted list would do.
// Method: random arms, moves, disarms and jumps of the clock, from a second to hours.
TEST_F(TimerWheelTest, AgreesWithASortedList) {
  Prng random{7};
  constexpr int count = 300;
  std::vector<std::optional<Instant>> due(count);
  std::vector<Alarm> alarms(count);
  Instant now = at({});
  for (int index = 0; index < count; ++index) {
    alarms[index].on_run = [&, index] {
      ASSERT_TRUE(due[index]);
      EXPECT_LE(*due[index], now);
      due[index].reset();
    };
  }
  for (int step = 0; step < 20'000; ++step) {
    const auto index = random.below(count);
    if (random.chance(1, 4)) {
      wheel_.disarm(alarms[index].timer);
      due[index].reset();
    } else {
      const uint64_t scale = random.chance(1, 10) ? 200'000'000'000 : 2'000'000'000;
      due[index] = now + Duration{static_cast<int64_t>(random.below(scale))};
      alarms[index].arm(wheel_, *due[index]);
    }
    if (!random.chance(1, 3)) continue;
    now += Duration{
        static_cast<int64_t>(random.below(random.chance(1, 50) ? 100'000'000'000 : 50'000'000))};
    wheel_.expire(now);
    std::optional<Instant> earliest;
    uint64_t armed = 0;
    for (const auto& each : due) {
      if (!each) continue;
      ++armed;
      EXPECT_GT(*each + TimerWheel::tick, now);  // None was left behind.
      earliest = earliest ? std::min(*earliest, *each) : *each;
    }
    ASSERT_EQ(wheel_.armed_count(), armed);
    ASSERT_EQ(wheel_.next_due().has_value(), earliest.has_value());
    if (earliest) {
      ASSERT_LE(*wheel_.next_due(), *earliest + TimerWheel::tick);
    }
  }
}

}  // namespace
}  // namespace ringpost::io
