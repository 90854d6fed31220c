#pragma once

#include "sim/relay/harness.h"

#include <cstdint>
#include <string>

namespace ringpost::sim {

/// Ends a life of the relay at random, by a stop, a kill or a loss of power.
/// @returns whether it was an orderly stop.
inline bool end_life(World& world, RelayHarness& relay) {
  Prng& random = world.random();
  const bool orderly = random.chance(1, 4);
  if (orderly) {
    relay.stop(world.between({}, std::chrono::seconds{3}));
  } else {
    relay.crash(random.chance(2, 3) ? Crash::power : Crash::kill);
  }
  return orderly;
}

/// Some darkness, and the next life, perhaps with another number of shards.
/// @returns why the relay did not start again, or nothing.
inline std::string begin_life(World& world, RelayHarness& relay) {
  Prng& random = world.random();
  world.run_for(world.between({}, std::chrono::seconds{1}));
  if (random.chance(1, 3)) relay.set_shard_count(static_cast<uint32_t>(random.between(1, 3)));
  return relay.start();
}

}  // namespace ringpost::sim
