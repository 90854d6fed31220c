#pragma once

#include "control/memory_limits.h"
#include "server/config.h"
#include "server/machine.h"

#include <string>

namespace ringpost::server {

/// The least that a relay runs in.
inline constexpr uint64_t memory_min = uint64_t{50} << 20;

/// What a relay may use of its machine. README.md, "Memory and descriptors", has the sums.
struct Budgets {
  control::MemoryLimits limits;
  uint64_t retained_bytes_max = 0;  ///< delivery::Limits, per shard.
  uint32_t streams_max = 0;         ///< control::StreamLimits::count_max.
  uint64_t tracing_bytes = 0;       ///< What spans take that wait for a collector.
  uint32_t segment_bytes = 0;
  uint64_t memory_of_machine = 0;  ///< Machine::memory_bytes.
  std::string memory_limit;        ///< Where `limits.memory_max` comes from, for people.
};

/// What the configuration and the machine come to. What the configuration says is taken as it is;
/// what it does not say is its default, or less: as much as fits into memory and descriptors.
Budgets budgets_of(const Config& config, const Machine& machine);

/// Puts them in the place of what the configuration does not say.
void use(const Budgets& budgets, Config& config);

/// Why no relay can run with them; empty if one can.
std::string object_to(const Budgets& budgets);
/// What an operator should know of them; empty: nothing.
std::string warning_of(const Budgets& budgets);
/// `50 MiB`, rounded down.
std::string in_mib(uint64_t bytes);
/// One line for the log.
std::string to_text(const Budgets& budgets);

}  // namespace ringpost::server
