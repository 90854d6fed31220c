// Goal: with the rules of src/replica one node at most starts attempts at a time, nothing stays
// unsettled, and a state that is restored lacks nothing. Method: a random model of one partition
// with three nodes: frozen, cut off, restarted, with slow fetches, hung and repeated appends, stale
// assignments, crashes of brokers and of the group's coordinator, clocks at different rates, and an
// engine that loses the ends of its logs. 1,000 seeds; SIM_SEEDS for more, SIM_SEED for one.
//
// And rules are left out: then the model has to find something, or it would prove nothing.

#include "model.h"

#include "sim/relay/seeds.h"

#include <gtest/gtest.h>

namespace ringpost::replica::testing {
namespace {

ModelResult run_seeds(ModelOptions options, sim::Seeds seeds) {
  ModelResult all;
  for (options.seed = seeds.first; options.seed <= seeds.last; ++options.seed) {
    const ModelResult result = run_model(options);
    EXPECT_TRUE(result.good()) << "SIM_SEED=" << options.seed << ": " << result.text();
    all.add(result);
  }
  std::printf("%s\n", all.text().c_str());
  return all;
}

TEST(Model, HoldsThroughFaults) {
  const sim::Seeds seeds = sim::seeds_to_run(1000);
  const ModelResult all = run_seeds({.rollbacks = false}, seeds);
  EXPECT_TRUE(seeds.only_one() || all.from_checkpoint > 0);
}

TEST(Model, HoldsThroughRollbacks) {
  const sim::Seeds seeds = sim::seeds_to_run(1000);
  const ModelResult all = run_seeds({.rollbacks = true}, seeds);
  EXPECT_TRUE(seeds.only_one() || all.rollbacks > 0);
}

// Goal: a broker's crash moves no partition, not even when it takes the group's coordinator along.
TEST(Model, CrashesOfBrokersMoveNothing) {
  run_seeds({.only_crashes = true}, sim::seeds_to_run(300));
}

/// What the model finds in some seeds if a rule is left out.
ModelResult without(Broken rule, ModelOptions options, sim::Seeds seeds) {
  ModelResult all;
  options.broken = rule;
  for (options.seed = seeds.first; options.seed <= seeds.last; ++options.seed) {
    all.add(run_model(options));
  }
  return all;
}

TEST(Model, FindsAnOwnerThatDoesNotWait) {
  const ModelResult found = without(Broken::wait, {.rollbacks = false}, {1, 20});
  EXPECT_GT(found.two_owners, 0u);
  EXPECT_GT(found.by_old_owner, 0u);
}

TEST(Model, FindsALeaseThatAnAcknowledgementExtends) {
  EXPECT_GT(without(Broken::lease_by_reading, {.rollbacks = false}, {1, 500}).two_owners, 0u);
}

TEST(Model, FindsAReleaseByAnOwnerThatWaitsItself) {
  EXPECT_GT(without(Broken::release_by_owner, {.rollbacks = false}, {1, 500}).two_owners, 0u);
}

TEST(Model, FindsALeaseThatDoesNotRevive) {
  EXPECT_GT(without(Broken::revival, {.rollbacks = false}, {1, 50}).never_settled, 0u);
}

TEST(Model, FindsAnOwnerWithoutAFence) {
  EXPECT_GT(without(Broken::fence, {.rollbacks = false}, {1, 500}).after_the_end, 0u);
}

TEST(Model, FindsALostThatEndsOwnership) {
  EXPECT_GT(without(Broken::look_after_lost, {.only_crashes = true}, {1, 50}).taken_over, 0u);
}

TEST(Model, FindsAReaderThatNoticesNoTruncation) {
  const ModelResult found = without(Broken::truncation, {.rollbacks = true}, {1, 200});
  EXPECT_GT(found.never_settled, 0u);
}

TEST(Model, FindsAWriterWithoutADetector) {
  EXPECT_GT(without(Broken::writer_check, {.rollbacks = true}, {1, 50}).never_settled, 0u);
}

TEST(Model, FindsAMarkThatIsBelievedWithoutItsWitness) {
  EXPECT_GT(without(Broken::witness, {.rollbacks = true}, {1, 500}).restored_wrong, 0u);
}

}  // namespace
}  // namespace ringpost::replica::testing
