#pragma once

#include "base/histogram.h"
#include "base/metric.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ringpost {

/// What a shard counts; the table (`counter_table`) says what each means.
enum class Counter : uint8_t {
  events_accepted,
  events_duplicate,
  events_refused,
  events_refused_invalid,
  events_refused_unauthorized,
  events_refused_throttled,
  events_over_share,
  events_refused_overloaded,
  events_refused_no_space,
  events_refused_storage_failed,
  deliveries_created,
  deliveries_delivered,
  deliveries_dead,
  deliveries_cancelled,
  deliveries_pending,
  deliveries_in_flight,
  attempts_started,
  attempts_failed,
  attempts_succeeded,
  attempts_redirected,
  attempts_client_error,
  attempts_server_error,
  attempts_bad_answer,
  attempts_timed_out,
  attempts_connection_failed,
  attempts_tls_failed,
  attempts_name_unresolved,
  attempts_denied,
  attempts_failed_otherwise,
  attempts_put_back,
  connections_opened,
  connections_reused,
  delivery_connections,
  tls_handshakes,
  tls_resumptions,
  journal_bytes,
  journal_records,
  syncs_completed,
  outcomes_bare,
  outcomes_unrecorded,
  storage_failed,
  journal_short,
  journal_full,
  http_requests,
  connections_accepted,
  connections_open,
  connections_displaced,
  connections_turned_away,
  connections_over_address,
  tls_accepted,
  requests_too_slow,
  bodies_without_room,
  tokens_refused,
  tokens_throttled,
  passwords_refused,
  passwords_throttled,
  ids_forgotten_early,
  names_queued,
  ring_submissions,
  ring_completions,
  ring_enters,
  ring_sleeps,
  ring_starvations,
  ring_accept_pauses,
  ring_overflows,
  count_,
};

/// A row of the table of counters, which `GET /v1/status` and `GET /metrics` both show.
struct CounterInfo {
  Counter counter{};
  std::string_view name;  ///< In `GET /v1/status` and `ringpost status --json`.
  /// In `GET /metrics`. Rows of one family are neighbours and differ by their label. Without a
  /// name: `GET /metrics` leaves it out, because it is the sum of a family.
  MetricInfo family;
  MetricLabel label{};  ///< Without a name: none.
};

/// All counters, in the order of the enumeration.
std::span<const CounterInfo> counter_table();
const CounterInfo& info(Counter counter);

/// The latencies that a shard measures, for `GET /metrics`.
extern const MetricInfo accept_latency_info;
extern const MetricInfo delivery_latency_info;

/// The counters of one shard. Thread safety: the shard writes, anyone reads (relaxed: each value is
/// right, two values need not be of one instant).
class alignas(64) Counters {
 public:
  void add(Counter counter, uint64_t amount = 1) {
    auto& value =
        shared_[static_cast<size_t>(counter)];  // One writer: no read-modify-write needed.
    value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void subtract(Counter counter, uint64_t amount = 1) { add(counter, -amount); }
  void set(Counter counter, uint64_t amount) {
    shared_[static_cast<size_t>(counter)].store(amount, std::memory_order_relaxed);
  }
  /// From a request for events being whole to its 202.
  Histogram accept_latency;
  /// From an event's acceptance to the end of a successful first attempt.
  Histogram delivery_latency;

  uint64_t value(Counter counter) const {
    return shared_[static_cast<size_t>(counter)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<uint64_t>, static_cast<size_t>(Counter::count_)> shared_{};
};

}  // namespace ringpost
