#include "server/budgets.h"

#include "control/tracing.h"

#include <algorithm>
#include <bit>

namespace ringpost::server {
namespace {

constexpr uint64_t mib = uint64_t{1} << 20;

// What things take. README.md, "Memory and descriptors", has them for people.
constexpr uint64_t process_bytes = 14 * mib;  // Program, control store, threads.
constexpr uint64_t shard_bytes = 16 * mib;    // Ring, and the journal's queue of 8 MiB.
// In the dispatcher; and in the control thread, if its event was carried forward (PendingTally), or
// at a start, while nearly all else is empty (80: PendingTable). Half as much was tried: in 64 MiB
// the kernel ended the relay when all of it had been delivered.
constexpr uint64_t pending_bytes = 32 + 120;
constexpr uint64_t idempotency_bytes = 40;
constexpr uint64_t event_bytes = 2;  // For each byte of an event: once more while it is being sent.
constexpr uint64_t body_bytes = 2;   // For each byte of a body: it grows by doubling.
constexpr uint64_t attempt_bytes = 30 * 1024;    // TLS, request, the answer's first 16 KiB.
constexpr uint64_t connection_bytes = 8 * 1024;  // One that is idle, with TLS.
constexpr uint64_t stream_bytes = 64 * 1024;     // What its client has not taken, sealed.

/// The queue of spans, and a batch three times: as spans, as a body, and on its way.
constexpr uint64_t spans_bytes =
    control::Tracing::queued_bytes_max + 3 * control::Tracing::batch_bytes_max;

/// Live streams get this part of all.
constexpr uint64_t streams_divisor = 128;

/// So much is the kernel's, for this process: sockets, page tables, what waits to be written.
constexpr uint64_t kernel_divisor = 8;
/// A shard needs as much, or there are fewer of them.
constexpr uint64_t shard_memory_min = 64 * mib;

// Descriptors that are not connections: journal, store, listeners, ring, name servers.
constexpr uint64_t process_descriptors = 64;
constexpr uint64_t shard_descriptors = 24;

/// Bodies get this part of what is left: in percent.
constexpr uint64_t bodies_part = 24;
/// How the rest is divided: in percent. 2 % remain.
struct Parts {
  uint64_t pending = 29;
  uint64_t history = 12;
  uint64_t retained = 18;
  uint64_t attempts = 21;
  uint64_t ids = 8;
  uint64_t incoming = 5;
  uint64_t outgoing = 5;
};
constexpr Parts parts;

/// What is written to a segment has its index in memory until the segment is full and the index is
/// in a file: two segments of each shard at most, an eighth of their size each, seldom more.
constexpr uint64_t unwritten_index_divisor = 4;
constexpr uint64_t fitted_segment_bytes_min = 4 * mib;

/// What each budget may take, where the configuration leaves it open.
class Fit {
 public:
  Fit(const Config& config, const Machine& machine, uint64_t memory_max, uint32_t shards,
      uint64_t others_bytes)
      : config_(config), shards_(shards) {
    const uint64_t taken =
        memory_max / kernel_divisor + process_bytes + shards * shard_bytes + others_bytes;
    left_ = memory_max > taken ? memory_max - taken : 0;
    const uint64_t others =
        std::min(process_descriptors + shards * shard_descriptors, machine.descriptors / 2);
    descriptors_each_ = (machine.descriptors - others) / shards / 2;
  }

  /// Of `percent`, in pieces of `bytes`, for each of `sharers`; at most `most`.
  uint64_t count(uint64_t percent, uint64_t bytes, uint64_t sharers, uint64_t least,
                 uint64_t most) const {
    return std::clamp(left_ * percent / 100 / bytes / sharers, std::min(least, most), most);
  }
  uint64_t count_of(std::string_view key, uint64_t configured, uint64_t percent, uint64_t bytes,
                    uint64_t sharers, uint64_t least) const {
    return config_.gives(key) ? configured : count(percent, bytes, sharers, least, configured);
  }
  /// So much is no longer left.
  void take(uint64_t bytes) { left_ -= std::min(left_, bytes); }
  /// Of connections: as many as there are descriptors for.
  uint32_t connections(uint64_t percent, uint32_t most) const {
    const uint64_t fitting = count(percent, connection_bytes, shards_, 16, most);
    return static_cast<uint32_t>(std::max<uint64_t>(std::min(fitting, descriptors_each_), 1));
  }

 private:
  const Config& config_;
  const uint64_t shards_;
  uint64_t left_ = 0;
  uint64_t descriptors_each_ = 0;  ///< For one direction, of one shard.
};

uint64_t memory_total(const Budgets& budgets) {
  const control::MemoryLimits& limits = budgets.limits;
  const uint64_t connections = uint64_t{limits.connections_max} + limits.delivery_connections_max;
  const uint64_t shard =
      shard_bytes + limits.pending_max * pending_bytes + limits.bodies_bytes_max * body_bytes +
      budgets.retained_bytes_max * event_bytes + limits.attempts_in_flight_max * attempt_bytes +
      connections * connection_bytes;
  const uint64_t history = std::max(
      limits.history_memory_max, budgets.segment_bytes / unwritten_index_divisor * limits.shards);
  return limits.memory_max / kernel_divisor + process_bytes + budgets.streams_max * stream_bytes +
         budgets.tracing_bytes + shard * limits.shards + history +
         limits.idempotency_entries_max * idempotency_bytes;
}

/// So that the indexes of what is being written fit into the history's part, and the largest event
/// into a segment.
uint32_t fitted_segment_bytes(const Config& config, const control::MemoryLimits& limits) {
  const uint64_t fitting = limits.history_memory_max * unwritten_index_divisor / limits.shards;
  const uint64_t least =
      std::max(fitted_segment_bytes_min, std::bit_ceil(config.event_bytes_max * 3));
  return static_cast<uint32_t>(
      std::min<uint64_t>(std::max(std::bit_floor(fitting), least), config.segment_bytes));
}

}  // namespace

Budgets budgets_of(const Config& config, const Machine& machine) {
  Budgets budgets;
  control::MemoryLimits& limits = budgets.limits;
  budgets.memory_of_machine = machine.memory_bytes;
  budgets.memory_limit = config.memory_max != 0 ? "server.memory_max" : machine.memory_limit;
  limits.memory_max = config.memory_max != 0 ? config.memory_max : machine.memory_bytes;
  const uint64_t shards_max = std::clamp<uint64_t>(limits.memory_max / shard_memory_min, 1, 64);
  limits.shards = config.shards != 0
                      ? config.shards
                      : static_cast<uint32_t>(std::min<uint64_t>(machine.cores, shards_max));
  const uint64_t shards = limits.shards;
  const uint64_t streams = limits.memory_max / streams_divisor / stream_bytes;
  budgets.streams_max =
      config.gives("api.streams_max")
          ? config.streams.count_max
          : static_cast<uint32_t>(std::min<uint64_t>(streams, config.streams.count_max));
  if (!config.tracing_endpoint.empty()) budgets.tracing_bytes = spans_bytes;
  Fit fit(config, machine, limits.memory_max, limits.shards,
          budgets.streams_max * stream_bytes + budgets.tracing_bytes);
  const Config defaults;

  // Bodies have to hold two batches, and a batch an event.
  const bool batch_given = config.gives("ingest.batch_bytes_max");
  const uint64_t batch_least = batch_given ? config.batch_bytes_max : config.event_bytes_max;
  limits.bodies_bytes_max = fit.count_of("ingest.bodies_bytes_max", config.bodies_bytes_max,
                                         bodies_part, body_bytes, shards, batch_least * 2);
  limits.batch_bytes_max =
      batch_given ? config.batch_bytes_max
                  : std::clamp(limits.bodies_bytes_max / 2, config.event_bytes_max,
                               std::max(config.event_bytes_max, config.batch_bytes_max));
  fit.take(limits.bodies_bytes_max * body_bytes * shards);

  limits.pending_max = fit.count_of("delivery.pending_max", config.pending_max, parts.pending,
                                    pending_bytes, shards, 1000);
  limits.history_memory_max = fit.count_of("journal.history_memory_max", config.history_memory_max,
                                           parts.history, 1, 1, mib);
  budgets.segment_bytes = config.gives("journal.segment_bytes")
                              ? config.segment_bytes
                              : fitted_segment_bytes(config, limits);
  limits.idempotency_entries_max =
      fit.count_of("ingest.idempotency_entries_max", config.idempotency_entries_max, parts.ids,
                   idempotency_bytes, 1, 4096);
  // The window takes powers of two.
  if (limits.idempotency_entries_max < config.idempotency_entries_max) {
    limits.idempotency_entries_max = std::bit_floor(limits.idempotency_entries_max);
  }
  budgets.retained_bytes_max =
      fit.count(parts.retained, event_bytes, shards, mib, defaults.retained_bytes_max);
  limits.attempts_in_flight_max = static_cast<uint32_t>(
      fit.count_of("delivery.attempts_in_flight_max", config.attempts_in_flight_max, parts.attempts,
                   attempt_bytes, shards, 32));
  limits.connections_max = config.gives("ingest.connections_max")
                               ? config.ingest_connections_max
                               : fit.connections(parts.incoming, config.ingest_connections_max);
  limits.delivery_connections_max =
      fit.connections(parts.outgoing, defaults.delivery_connections_max);
  limits.memory_total = memory_total(budgets);
  return budgets;
}

void use(const Budgets& budgets, Config& config) {
  const control::MemoryLimits& limits = budgets.limits;
  config.shards = limits.shards;
  config.pending_max = limits.pending_max;
  config.history_memory_max = limits.history_memory_max;
  config.segment_bytes = budgets.segment_bytes;
  config.idempotency_entries_max = limits.idempotency_entries_max;
  config.bodies_bytes_max = limits.bodies_bytes_max;
  config.batch_bytes_max = limits.batch_bytes_max;
  config.attempts_in_flight_max = limits.attempts_in_flight_max;
  config.ingest_connections_max = limits.connections_max;
  config.retained_bytes_max = budgets.retained_bytes_max;
  config.delivery_connections_max = limits.delivery_connections_max;
  config.streams.count_max = budgets.streams_max;
  config.limits = limits;
}

std::string in_mib(uint64_t bytes) {
  return std::to_string(bytes / mib) + " MiB";
}

std::string object_to(const Budgets& budgets) {
  const uint64_t memory = std::min(budgets.limits.memory_max, budgets.memory_of_machine);
  if (memory >= memory_min) return {};
  const std::string& limit =
      memory == budgets.memory_of_machine && memory < budgets.limits.memory_max
          ? std::string{"what the machine or its cgroup allows"}
          : budgets.memory_limit;
  return "the relay needs at least " + in_mib(memory_min) + " of memory, and may use only " +
         in_mib(memory) + " (" + limit + "); raise that limit";
}

std::string warning_of(const Budgets& budgets) {
  const control::MemoryLimits& limits = budgets.limits;
  if (limits.memory_max > budgets.memory_of_machine) {
    return "server.memory_max is " + in_mib(limits.memory_max) +
           ", and this process may use only " + in_mib(budgets.memory_of_machine) +
           ": under load the system may end it; lower server.memory_max, or set it to \"auto\"";
  }
  if (limits.memory_total <= limits.memory_max) return {};
  return "the configured limits allow up to " + in_mib(limits.memory_total) +
         " of memory, and the relay may use only " + in_mib(limits.memory_max) + " (" +
         budgets.memory_limit +
         "): under load the system may end it; lower the limits in the sections [ingest] and "
         "[delivery], or leave them out, so that the memory decides";
}

std::string to_text(const Budgets& budgets) {
  const control::MemoryLimits& limits = budgets.limits;
  const auto number = [](uint64_t value) { return std::to_string(value); };
  return "memory: up to " + in_mib(limits.memory_total) + " of " + in_mib(limits.memory_max) +
         " (" + budgets.memory_limit + "); " + number(limits.shards) +
         (limits.shards == 1 ? " shard" : " shards, each") + " with up to " +
         number(limits.pending_max) + " pending deliveries, " + in_mib(limits.bodies_bytes_max) +
         " of request bodies, " + number(limits.attempts_in_flight_max) + " attempts in flight, " +
         number(limits.connections_max) + " connections in and " +
         number(limits.delivery_connections_max) + " out; " +
         number(limits.idempotency_entries_max) + " remembered event ids and " +
         in_mib(limits.history_memory_max) + " for the history";
}

}  // namespace ringpost::server
