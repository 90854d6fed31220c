#pragma once

#include "base/clock.h"

#include <cstdint>
#include <string>

namespace ringpost::server {

/// What the machine, or the container, lets this process have.
struct Machine {
  uint64_t memory_bytes = 0;  ///< The smallest of all limits.
  std::string memory_limit;   ///< Which one that is, for people.
  uint64_t descriptors = 0;   ///< RLIMIT_NOFILE.
  uint32_t cores = 1;
};

/// Reads the machine's memory, the limits of the process, and those of its memory cgroup and of
/// all above it, version 1 or 2. What cannot be read limits nothing.
Machine this_machine();

/// Whether a clock that shows this was ever set: machines without a battery begin in the past.
bool is_set(WallTime clock);

/// The same as this_machine with other places for /proc and /sys/fs/cgroup, for tests: of the
/// memory only.
void read_memory_limits(const std::string& proc, const std::string& cgroups, Machine& machine);

}  // namespace ringpost::server
