// Goal: virtual time, scheduling and replay keep their word.
// Method: small actors over rings, and whole conversations with faults run twice from one seed.

#include "sim/world.h"

#include "sim/http_producer.h"
#include "sim/http_receiver.h"
#include "sim/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace ringpost::sim {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A shard that only turns its ring and counts.
struct Shard final : Actor {
  explicit Shard(World& world) : ring(world.add_ring()) { world.add_actor(*this, ring); }
  void turn() override {
    ring.turn(true);  // As a production loop does; in a world with actors it does not sleep.
    ++turns;
  }
  void on_timer() { fired.push_back(ring.now()); }

  Ring& ring;
  io::Timer timer;
  uint32_t turns = 0;
  std::vector<Instant> fired;
};

TEST(World, TimeStandsStillWhileNothingIsDue) {
  World world({});
  EXPECT_FALSE(world.step());
  EXPECT_EQ(world.now(), Instant{});
  EXPECT_TRUE(world.run_until_idle(hours{1}));
  EXPECT_EQ(world.now(), Instant{});
}

TEST(World, RunForPassesExactlyThatTime) {
  World world({});
  world.run_for(hours{7});
  EXPECT_EQ(world.now(), Instant{hours{7}});
}

TEST(World, EventsOfOneInstantRunInOrderOfScheduling) {
  World world({});
  std::vector<int> order;
  for (int i = 0; i < 20; ++i)
    world.after(milliseconds{i % 2}, [&order, i] { order.push_back(i); });
  world.run_for(seconds{1});
  EXPECT_EQ(order, (std::vector<int>{0, 2, 4, 6, 8, 10, 12, 14, 16, 18,  //
                                     1, 3, 5, 7, 9, 11, 13, 15, 17, 19}));
}

TEST(World, RunUntilStopsAtItsLimitWithoutRunningWhatIsLater) {
  World world({});
  bool ran = false;
  world.after(seconds{10}, [&ran] { ran = true; });
  EXPECT_FALSE(world.run_until([&ran] { return ran; }, seconds{9}));
  EXPECT_EQ(world.now(), Instant{seconds{9}});
  EXPECT_TRUE(world.run_until([&ran] { return ran; }, seconds{2}));
  EXPECT_EQ(world.now(), Instant{seconds{10}});
}

TEST(World, TurnsAnActorWhenItsTimerIsDueAndNotBefore) {
  World world({});
  Shard shard(world);
  shard.ring.arm<&Shard::on_timer>(shard, shard.timer, hours{3});
  ASSERT_TRUE(world.run_until_idle(hours{4}));
  ASSERT_EQ(shard.fired.size(), 1u);
  EXPECT_GE(shard.fired[0], Instant{hours{3}});
  EXPECT_LE(shard.fired[0], Instant{hours{3}} + io::TimerWheel::tick * 2);
  EXPECT_LE(shard.turns, 3u);  // The first one, and that of the timer.
}

TEST(World, TimersOfAnIdleRingCountFromTheWorldsTime) {
  World world({});
  Shard shard(world);
  world.run_for(hours{5});
  shard.ring.arm<&Shard::on_timer>(shard, shard.timer, seconds{1});
  world.after(seconds{30}, [&shard] { EXPECT_EQ(shard.fired.size(), 1u); });
  world.run_for(seconds{60});
  ASSERT_EQ(shard.fired.size(), 1u);
  EXPECT_GE(shard.fired[0], Instant{hours{5} + seconds{1}});
}

TEST(World, TurnsAnActorThatIsWoken) {
  World world({});
  Shard shard(world);
  world.run_until_idle(seconds{1});
  const uint32_t turns = shard.turns;
  shard.ring.waker().wake();
  shard.ring.waker().wake();
  world.run_until_idle(seconds{1});
  EXPECT_EQ(shard.turns, turns + 1);
}

TEST(World, TurnsAnActorWithoutRingOnlyWhenWoken) {
  struct Counter final : Actor {
    void turn() override { ++turns; }
    int turns = 0;
  } counter;
  World world({});
  io::Waker& waker = world.add_actor(counter);
  world.run_for(seconds{10});
  EXPECT_EQ(counter.turns, 1);
  waker.wake();
  world.run_for(seconds{10});
  EXPECT_EQ(counter.turns, 2);
  world.remove_actor(counter);
  waker.wake();
  world.run_for(seconds{10});
  EXPECT_EQ(counter.turns, 2);
}

TEST(World, PausesAShardAsOftenAsAsked) {
  World world({.faults = {.pause = 10'000}});
  Shard shard(world);
  Duration longest{};
  for (int i = 0; i < 50; ++i) {
    const Instant before = world.now();
    shard.ring.waker().wake();
    world.run_until_idle(seconds{10});
    longest = std::max(longest, world.now() - before);
    EXPECT_GE(world.now() - before, milliseconds{1});
  }
  EXPECT_GT(longest, milliseconds{250});
}

TEST(World, MovesOnlyTheWallClockWhenItJumps) {
  World world({});
  Shard shard(world);
  world.run_for(seconds{1});
  const WallTime wall = shard.ring.wall_now();
  world.jump_wall(-hours{48});
  shard.ring.waker().wake();
  world.run_for(seconds{1});
  EXPECT_EQ(shard.ring.wall_now() - wall, seconds{1} - hours{48});
  EXPECT_EQ(shard.ring.now(), Instant{seconds{2}});
}

TEST(World, DeadRingsEndEverythingAndTheirActorsRunNoMore) {
  World world({});
  Shard shard(world);
  world.run_for(seconds{1});
  shard.ring.arm<&Shard::on_timer>(shard, shard.timer, seconds{1});
  const uint32_t turns = shard.turns;
  world.crash();
  world.run_for(seconds{10});
  EXPECT_EQ(shard.turns, turns);
  shard.ring.turn(true);  // An orderly shut-down may wait for its timers: time is the ring's own.
  EXPECT_EQ(shard.fired.size(), 1u);
  EXPECT_EQ(world.now(), Instant{seconds{11}});
}

// --- replay --------------------------------------------------------------------------------------

struct Conversation {
  uint64_t trace = 0;
  uint64_t steps = 0;
  size_t answered = 0;
};

/// Forty posts from a producer to a receiver through every fault of the network at once.
Conversation run_with_faults(uint64_t seed) {
  World world({.seed = seed,
               .faults = {.connect_refused = 500,
                          .segment = 3'000,
                          .delay = 1'000,
                          .reset = 300,
                          .short_send = 2'000,
                          .narrow_window = 3'000}});
  HttpReceiver receiver(world, address("10.1.1.1", 80));
  HttpProducer producer(world, {.to = receiver.address()});
  for (int i = 0; i < 40; ++i) producer.post("/", std::string(static_cast<size_t>(i) * 100, 'b'));
  EXPECT_TRUE(world.run_until([&producer] { return producer.open_count() == 0; }, hours{1}));
  return {world.trace_hash(), world.step_count(), producer.answered_count(200)};
}

TEST(World, ReplaysIdenticallyFromItsSeed) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Conversation first = run_with_faults(seed);
    const Conversation second = run_with_faults(seed);
    EXPECT_EQ(first.trace, second.trace) << "seed " << seed;
    EXPECT_EQ(first.steps, second.steps) << "seed " << seed;
    EXPECT_EQ(first.answered, second.answered) << "seed " << seed;
  }
}

TEST(World, RunsDifferentlyFromAnotherSeed) {
  std::vector<uint64_t> traces;
  for (uint64_t seed = 1; seed <= 20; ++seed) traces.push_back(run_with_faults(seed).trace);
  std::ranges::sort(traces);
  EXPECT_EQ(std::ranges::adjacent_find(traces), traces.end());
}

TEST(Faults, RandomOnesVaryWithTheSeedAndSpareTheDisk) {
  uint32_t with_resets = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Prng prng(seed);
    const Faults faults = Faults::random(prng);
    with_resets += faults.reset > 0;
    EXPECT_EQ(faults.write_error + faults.sync_error + faults.read_error, 0u);
  }
  EXPECT_GT(with_resets, 50u);
  EXPECT_LT(with_resets, 150u);
}

}  // namespace
}  // namespace ringpost::sim
