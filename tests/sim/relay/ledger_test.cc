// Goal: whatever the network, the receivers, the disk and the power do, nothing that was promised
// is lost, nothing arrives that was not sent, and nothing arrives altered. Method: many small
// worlds, each drawn from its seed: shards, webhooks, producers, faults, crashes, orderly stops and
// restarts with other shard counts. Then everything is well again, the relay is restarted, and when
// it has settled the books of both ends are compared with each other and with what the relay's API
// says.
//
// SIM_SEEDS=1000 runs more of them, SIM_SEED=17 just that one.

#include "sim/relay/lives.h"
#include "sim/relay/seeds.h"
#include "sim/relay/traffic.h"

#include <gtest/gtest.h>

namespace ringpost::sim {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

struct RunResult {
  std::vector<std::string> wrong;
  Traffic::Totals totals;
  uint64_t trace_hash = 0;
  uint64_t ledger_hash = 0;
  uint32_t crashes = 0;
  uint32_t stops = 0;
};

std::string die_and_rise(World& world, RelayHarness& relay, RunResult& result) {
  ++(end_life(world, relay) ? result.stops : result.crashes);
  return begin_life(world, relay);
}

/// Runs the world through its troubles. @returns why the relay did not start again, or nothing.
std::string live(World& world, RelayHarness& relay, Traffic& traffic, RunResult& result) {
  Prng& random = world.random();
  world.set_faults(Faults::random(random));
  const Duration span = world.between(seconds{1}, seconds{6});
  traffic.schedule_events(random.between(10, 120), span);
  const uint64_t ends = random.below(4);
  for (uint64_t end = 0; end < ends; ++end) {
    world.run_for(world.between({}, span / static_cast<int64_t>(ends)));
    if (auto problem = die_and_rise(world, relay, result); !problem.empty()) return problem;
  }
  world.run_for(span);
  world.set_faults({});
  traffic.behave();
  return die_and_rise(world, relay, result);
}

RunResult run_seed(uint64_t seed) {
  RunResult result;
  World world({.seed = seed});
  RelayHarness relay(world, static_cast<uint32_t>(world.random().between(1, 3)));
  if (const auto problem = relay.start(); !problem.empty()) {
    result.wrong.push_back("no first start: " + problem);
    return result;
  }
  Traffic traffic(relay);
  ApiClient api(world);
  traffic.create_webhooks(api, world.random().between(1, 8));
  if (const auto problem = live(world, relay, traffic, result); !problem.empty()) {
    result.wrong.push_back("no restart: " + problem);
    return result;
  }
  const bool posted = world.run_until([&] { return traffic.all_posted(); }, hours{1});
  const bool settled = posted && relay.settle(hours{1});
  result.wrong = traffic.judge(api);
  if (!settled) result.wrong.push_back("it did not settle");
  result.totals = traffic.totals();
  result.trace_hash = world.trace_hash();
  result.ledger_hash = traffic.hash();
  return result;
}

TEST(RelayLedger, LosesInventsAndAltersNothing) {
  const Seeds seeds = seeds_to_run(200);
  Traffic::Totals totals;
  uint32_t crashes = 0;
  uint32_t stops = 0;
  for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    const RunResult result = run_seed(seed);
    ASSERT_TRUE(result.wrong.empty()) << "seed " << seed << ":" << joined(result.wrong);
    totals.add(result.totals);
    crashes += result.crashes;
    stops += result.stops;
  }
  const uint64_t last = seeds.last;
  if (seeds.only_one() || last < 100) return;
  // A run that exercises nothing proves nothing.
  EXPECT_GT(totals.acknowledged, 10 * last);
  EXPECT_GT(totals.requests, totals.acknowledged);
  EXPECT_GT(totals.reposts, last / 2);
  EXPECT_GT(totals.duplicates, last / 4);
  EXPECT_GT(totals.dead, last / 2);
  EXPECT_GT(crashes, last);
  EXPECT_GT(stops, last / 4);
  RecordProperty("acknowledged", std::to_string(totals.acknowledged));
  RecordProperty("requests", std::to_string(totals.requests));
}

TEST(RelayLedger, RunsTheSameTwiceFromOneSeed) {
  for (const uint64_t seed : {3, 71, 404}) {
    const RunResult first = run_seed(seed);
    const RunResult second = run_seed(seed);
    EXPECT_EQ(first.trace_hash, second.trace_hash) << "seed " << seed;
    EXPECT_EQ(first.ledger_hash, second.ledger_hash) << "seed " << seed;
    EXPECT_EQ(first.totals, second.totals) << "seed " << seed;
    EXPECT_EQ(first.wrong, second.wrong) << "seed " << seed;
  }
}

}  // namespace
}  // namespace ringpost::sim
