// Goal: whatever people change while events come and the relay goes down, each event reaches the
// webhooks that it was for, and no others: not the receiver of before, not a webhook that was
// disabled, none twice. Method: as in ledger_test.cc, with webhooks that are moved, disabled,
// enabled and deleted, deliveries that are sent again, and a disk that fails at times.
//
// SIM_SEEDS=1000 runs more of them, SIM_SEED=17 just that one.

#include "sim/relay/changing.h"
#include "sim/relay/lives.h"
#include "sim/relay/seeds.h"

#include <gtest/gtest.h>

namespace ringpost::sim {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

struct RunResult {
  std::vector<std::string> wrong;
  Changing::Totals totals;
  uint64_t trace_hash = 0;
};

/// Errors of the disk end a relay: it starts again without them.
std::string die_and_rise(World& world, RelayHarness& relay, Changing& changing) {
  Faults faults = world.faults();
  faults.write_error = faults.sync_error = faults.read_error = 0;
  world.set_faults(faults);
  end_life(world, relay);
  changing.on_restart();
  return begin_life(world, relay);
}

void fail_the_disk(World& world) {
  Faults faults = world.faults();
  (world.random().chance(1, 2) ? faults.write_error : faults.sync_error) = 100;
  world.set_faults(faults);
}

std::string live(World& world, RelayHarness& relay, Changing& changing) {
  Prng& random = world.random();
  if (random.chance(3, 4)) world.set_faults(Faults::random(random));
  const Duration span = world.between(seconds{5}, seconds{40});
  changing.schedule(random.between(20, 120), random.between(2, 15), span);
  const uint64_t ends = random.below(4);
  for (uint64_t end = 0; end < ends; ++end) {
    if (random.chance(1, 6)) fail_the_disk(world);
    world.run_for(world.between({}, span / static_cast<int64_t>(ends)));
    if (auto problem = die_and_rise(world, relay, changing); !problem.empty()) return problem;
  }
  world.run_for(span);
  world.set_faults({});
  changing.behave();
  return die_and_rise(world, relay, changing);
}

RunResult run_seed(uint64_t seed) {
  RunResult result;
  World world({.seed = seed});
  RelayHarness relay(world, static_cast<uint32_t>(world.random().between(1, 3)));
  if (const auto problem = relay.start(); !problem.empty()) {
    result.wrong.push_back("no first start: " + problem);
    return result;
  }
  Changing changing(relay);
  ApiClient api(world);
  changing.create_webhooks(api, world.random().between(1, 4));
  if (const auto problem = live(world, relay, changing); !problem.empty()) {
    result.wrong.push_back("no restart: " + problem);
    return result;
  }
  const bool done = world.run_until([&] { return changing.done(); }, hours{1});
  const bool settled = done && relay.settle(hours{1});
  result.wrong = changing.judge(api);
  if (!settled) result.wrong.push_back(done ? "it did not settle" : "changes did not end");
  result.totals = changing.totals();
  result.trace_hash = world.trace_hash();
  return result;
}

TEST(RelayChanges, ReachTheRightWebhooks) {
  const Seeds seeds = seeds_to_run(200);
  Changing::Totals totals;
  for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    const RunResult result = run_seed(seed);
    ASSERT_TRUE(result.wrong.empty()) << "seed " << seed << ":" << joined(result.wrong);
    totals.add(result.totals);
  }
  if (seeds.last - seeds.first < 50) return;
  // A run that exercises nothing proves nothing.
  const uint64_t runs = seeds.last - seeds.first + 1;
  EXPECT_GT(totals.acknowledged, 10 * runs);
  EXPECT_GT(totals.changes, runs);
  EXPECT_GT(totals.doubts, runs / 10);
  EXPECT_GT(totals.cancelled, runs / 4);
  EXPECT_GT(totals.sent_again, runs / 4);
  EXPECT_GT(totals.must, 10 * runs);
  EXPECT_GT(totals.either, runs);
}

TEST(RelayChanges, RunTheSameTwiceFromOneSeed) {
  for (const uint64_t seed : {5, 77}) {
    const RunResult first = run_seed(seed);
    const RunResult second = run_seed(seed);
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.totals, second.totals) << "seed " << seed;
  }
}

}  // namespace
}  // namespace ringpost::sim
