#pragma once

#include "base/histogram.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringpost {

/// What a shard counts. Counters only grow; gauges go both ways.
enum class Counter : uint8_t {
  events_accepted,       ///< Durable and acknowledged.
  events_duplicate,      ///< Answered from the idempotency window.
  events_refused,        ///< Answered 4xx or 5xx; nothing stored.
  events_over_share,     ///< Of these, answered 429: too many deliveries of theirs are pending.
  deliveries_created,    ///< One per matched webhook.
  deliveries_delivered,  ///< Ended with a 2xx.
  deliveries_dead,       ///< Given up.
  deliveries_cancelled,  ///< Webhook deleted or disabled.
  attempts_started,
  attempts_failed,
  attempts_put_back,     ///< Something was short on this machine; they count for nothing.
  connections_opened,    ///< Outbound.
  connections_reused,    ///< Attempts sent on a kept connection.
  tls_handshakes,        ///< Outbound, full and resumed.
  tls_resumptions,       ///< Outbound, resumed only.
  journal_bytes,         ///< Written, padding included.
  journal_records,       ///< Appended.
  syncs_completed,       ///< Durable journal writes that succeeded.
  outcomes_bare,         ///< Ends on record without request and answer: no room was left for these.
  outcomes_unrecorded,   ///< Attempts without a record, for want of room; a restart repeats them.
  http_requests,         ///< Inbound.
  connections_accepted,  ///< Inbound.
  connections_displaced,     ///< Inbound; closed without a request, to make room for newer ones.
  connections_turned_away,   ///< Inbound; closed at once: all others were at work.
  connections_over_address,  ///< Inbound; closed at once: their address has as many as it may.
  requests_too_slow,         ///< Answered 408.
  bodies_without_room,       ///< Answered 503: ingest.bodies_bytes_max.
  deliveries_pending,        ///< Gauge: due, waiting or in flight.
  deliveries_in_flight,      ///< Gauge.
  storage_failed,            ///< Gauge: 1 after a durable write failed.
  journal_short,     ///< Gauge: 1 while the last event that came found no room in the journal.
  journal_full,      ///< Gauge: 1 while no segment can be prepared and the journal takes no event.
  tokens_refused,    ///< Requests with a token that is not good.
  tokens_throttled,  ///< Of these, answered 429: too many from one source.
  ids_forgotten_early,  ///< Event ids forgotten before the idempotency window was over.
  names_queued,         ///< Look-ups of names that had to wait until fewer were under way.
  count_,
};

/// The name under which `/metrics` and `ringpost status` show a counter.
std::string_view name(Counter counter);

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
  /// From the first byte of a request being parsed to its 202.
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
