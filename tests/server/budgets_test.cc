// Goal: what a relay may use fits into the memory and the descriptors of its machine, whatever they
// are, and what an operator says is taken as it is.

#include "server/budgets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::server {
namespace {

constexpr uint64_t mib = uint64_t{1} << 20;
constexpr uint64_t gib = uint64_t{1} << 30;

Config with(const std::vector<std::string>& assignments) {
  const ConfigResult result = parse_config("", "test.toml", assignments);
  for (const ConfigProblem& problem : result.problems) ADD_FAILURE() << problem.to_text();
  return result.config;
}

Machine machine_of(uint64_t memory, uint32_t cores = 2, uint64_t descriptors = 1 << 20) {
  return {.memory_bytes = memory,
          .memory_limit = "the machine's memory",
          .descriptors = descriptors,
          .cores = cores};
}

TEST(Budgets, AreTheDefaultsWhereThereIsEnough) {
  const Config defaults;
  const Budgets budgets = budgets_of(with({}), machine_of(24 * gib));
  EXPECT_EQ(budgets.limits.shards, 2u);
  EXPECT_EQ(budgets.limits.pending_max, defaults.pending_max);
  EXPECT_EQ(budgets.limits.history_memory_max, defaults.history_memory_max);
  EXPECT_EQ(budgets.segment_bytes, defaults.segment_bytes);
  EXPECT_EQ(budgets.limits.idempotency_entries_max, defaults.idempotency_entries_max);
  EXPECT_EQ(budgets.limits.bodies_bytes_max, defaults.bodies_bytes_max);
  EXPECT_EQ(budgets.limits.batch_bytes_max, defaults.batch_bytes_max);
  EXPECT_EQ(budgets.limits.attempts_in_flight_max, defaults.attempts_in_flight_max);
  EXPECT_EQ(budgets.limits.connections_max, defaults.ingest_connections_max);
  EXPECT_EQ(budgets.limits.delivery_connections_max, defaults.delivery_connections_max);
  EXPECT_EQ(budgets.retained_bytes_max, defaults.retained_bytes_max);
  EXPECT_EQ(budgets.streams_max, defaults.streams.count_max);
}

TEST(Budgets, FitIntoAnyMemory) {
  uint64_t pending = 0;
  for (const uint64_t memory :
       {memory_min, 64 * mib, 96 * mib, 256 * mib, gib, 2 * gib, 24 * gib}) {
    for (const uint32_t cores : {1u, 2u, 64u}) {
      const Budgets budgets = budgets_of(with({}), machine_of(memory, cores));
      const control::MemoryLimits& limits = budgets.limits;
      EXPECT_EQ(object_to(budgets), "") << memory;
      EXPECT_EQ(warning_of(budgets), "") << memory << ", " << cores;
      EXPECT_LE(limits.memory_total, memory);
      EXPECT_GE(limits.bodies_bytes_max, limits.batch_bytes_max * 2);
      EXPECT_GE(limits.batch_bytes_max, 1 * mib) << "the largest event";
      EXPECT_GE(limits.attempts_in_flight_max, 32u);
      EXPECT_LE(limits.shards, cores);
      EXPECT_GE(limits.shards, 1u);
      if (cores == 1) {
        EXPECT_GE(limits.pending_max, pending) << "more memory, more room";
        pending = limits.pending_max;
      }
    }
  }
}

// What is being written has its index in memory: segments are smaller where that has little room.
TEST(Budgets, MakeSegmentsWhoseIndexesFit) {
  for (const uint64_t memory : {memory_min, 64 * mib, 256 * mib, gib, 24 * gib}) {
    for (const uint32_t cores : {1u, 2u, 64u}) {
      const Budgets budgets = budgets_of(with({}), machine_of(memory, cores));
      EXPECT_GE(budgets.segment_bytes, 4 * mib);
      EXPECT_LE(budgets.segment_bytes, Config{}.segment_bytes);
      if (budgets.segment_bytes == 4 * mib) continue;
      EXPECT_LE(budgets.segment_bytes / 4 * budgets.limits.shards,
                budgets.limits.history_memory_max)
          << memory << ", " << cores;
    }
  }
  const Config large = with({"ingest.event_bytes_max=5MiB"});
  EXPECT_GE(budgets_of(large, machine_of(64 * mib)).segment_bytes, 15 * mib);
  const Config given = with({"journal.segment_bytes=128MiB"});
  EXPECT_EQ(budgets_of(given, machine_of(64 * mib)).segment_bytes, 128 * mib);
}

TEST(Budgets, OfASidecarAreThoseOfOneShard) {
  const Budgets budgets = budgets_of(with({}), machine_of(64 * mib));
  EXPECT_EQ(budgets.streams_max, 8u);
  EXPECT_EQ(budgets_of(with({"api.streams_max=70"}), machine_of(64 * mib)).streams_max, 70u);
  EXPECT_EQ(budgets.limits.shards, 1u);
  EXPECT_GT(budgets.limits.pending_max, 20'000u);
}

TEST(Budgets, LeaveAloneWhatIsConfigured) {
  const Config config = with({"delivery.pending_max=5000000", "delivery.attempts_in_flight_max=7",
                              "ingest.batch_bytes_max=20MiB", "server.shards=3"});
  const Budgets budgets = budgets_of(config, machine_of(256 * mib));
  EXPECT_EQ(budgets.limits.pending_max, 5'000'000u);
  EXPECT_EQ(budgets.limits.attempts_in_flight_max, 7u);
  EXPECT_EQ(budgets.limits.batch_bytes_max, 20 * mib);
  EXPECT_EQ(budgets.limits.bodies_bytes_max, 40 * mib) << "two batches";
  EXPECT_EQ(budgets.limits.shards, 3u);
  EXPECT_GT(budgets.limits.memory_total, 256 * mib);
  EXPECT_NE(warning_of(budgets).find("256 MiB"), std::string::npos) << warning_of(budgets);
  EXPECT_EQ(object_to(budgets), "");
}

TEST(Budgets, FollowFromTheConfiguredMemory) {
  const Budgets budgets = budgets_of(with({"server.memory_max=256MiB"}), machine_of(24 * gib));
  EXPECT_EQ(budgets.limits.memory_max, 256 * mib);
  EXPECT_LE(budgets.limits.memory_total, 256 * mib);
  const Budgets none = budgets_of(with({"server.memory_max=auto"}), machine_of(24 * gib));
  EXPECT_EQ(none.limits.memory_max, 24 * gib);
}

TEST(Budgets, SayThatTheConfiguredMemoryIsNotThere) {
  const Budgets budgets = budgets_of(with({"server.memory_max=1GiB"}), machine_of(256 * mib));
  EXPECT_NE(warning_of(budgets).find("256 MiB"), std::string::npos) << warning_of(budgets);
  EXPECT_EQ(object_to(budgets), "");
}

TEST(Budgets, RefuseTooLittleMemory) {
  const std::string text = object_to(budgets_of(with({}), machine_of(32 * mib)));
  EXPECT_NE(text.find("at least 50 MiB"), std::string::npos) << text;
  EXPECT_NE(text.find("only 32 MiB (the machine's memory)"), std::string::npos) << text;
  EXPECT_NE(object_to(budgets_of(with({"server.memory_max=64MiB"}), machine_of(32 * mib))), "");
  EXPECT_FALSE(parse_config("", "x", {"server.memory_max=47MiB"}).problems.empty());
  EXPECT_FALSE(parse_config("", "x", {"server.memory_max=much"}).problems.empty());
}

TEST(Budgets, LeaveDescriptorsForJournalStoreAndApi) {
  for (const uint64_t descriptors : {64u, 100u, 1024u, 16'384u}) {
    const Budgets budgets = budgets_of(with({}), machine_of(24 * gib, 2, descriptors));
    const control::MemoryLimits& limits = budgets.limits;
    const uint64_t connections = limits.shards * (uint64_t{limits.connections_max} +
                                                  budgets.limits.delivery_connections_max);
    EXPECT_LE(connections, descriptors - std::min<uint64_t>(descriptors / 2, 112)) << descriptors;
    EXPECT_GE(limits.connections_max, 1u);
    EXPECT_GE(budgets.limits.delivery_connections_max, 1u);
  }
}

TEST(Budgets, AreUsedInThePlaceOfDefaults) {
  Config config = with({});
  const Budgets budgets = budgets_of(config, machine_of(256 * mib));
  use(budgets, config);
  EXPECT_EQ(config.shards, 2u);
  EXPECT_EQ(config.pending_max, budgets.limits.pending_max);
  EXPECT_EQ(config.retained_bytes_max, budgets.retained_bytes_max);
  EXPECT_EQ(config.segment_bytes, budgets.segment_bytes);
  EXPECT_EQ(config.history_memory_max, budgets.limits.history_memory_max);
  EXPECT_EQ(budgets_of(config, machine_of(256 * mib)).segment_bytes, budgets.segment_bytes);
  EXPECT_EQ(budgets_of(config, machine_of(256 * mib)).limits.pending_max,
            budgets.limits.pending_max)
      << "twice is once";
}

}  // namespace
}  // namespace ringpost::server
