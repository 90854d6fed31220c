#pragma once

#include <cstdint>

namespace ringpost::control {

/// What memory and descriptors allow, as the start worked it out: for `GET /v1/status`. Of each
/// shard, unless it says otherwise.
struct MemoryLimits {
  uint64_t memory_max = 0;    ///< Of the process.
  uint64_t memory_total = 0;  ///< What all of these take together, if all are used up.
  uint32_t shards = 0;
  uint64_t pending_max = 0;
  uint64_t history_memory_max = 0;       ///< Bytes; of the process.
  uint64_t idempotency_entries_max = 0;  ///< Of the process.
  uint64_t bodies_bytes_max = 0;
  uint64_t batch_bytes_max = 0;
  uint32_t attempts_in_flight_max = 0;
  uint32_t connections_max = 0;           ///< Incoming ones.
  uint32_t delivery_connections_max = 0;  ///< To receivers.
};

}  // namespace ringpost::control
