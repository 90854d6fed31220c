#include "base/counters.h"

#include "base/assert.h"

namespace ringpost {
namespace {

constexpr MetricInfo counter(std::string_view name, std::string_view help) {
  return {name, MetricKind::counter, {}, help};
}
constexpr MetricInfo gauge(std::string_view name, std::string_view help) {
  return {name, MetricKind::gauge, {}, help};
}
/// The sum of a family: `GET /metrics` leaves it out.
constexpr MetricInfo sum(std::string_view help) {
  return {{}, MetricKind::counter, {}, help};
}

constexpr MetricInfo requests_refused =
    counter("ringpost_event_requests_refused",
            "Requests for events that were refused, by reason; nothing of them was stored.");
constexpr MetricLabel refused(std::string_view reason) {
  return {"reason", reason};
}

constexpr MetricInfo deliveries_finished =
    counter("ringpost_deliveries_finished",
            "Deliveries that are over: delivered, dead (given up) or cancelled (webhook deleted or "
            "disabled).");
constexpr MetricInfo attempts_finished =
    counter("ringpost_attempts_finished", "Attempts that are over, by result.");
constexpr MetricLabel result(std::string_view value) {
  return {"result", value};
}

constexpr MetricInfo connections_closed =
    counter("ringpost_connections_closed_early",
            "Incoming connections closed without an answer: displaced (to make room for a newer "
            "one), full (all others were in use) or address_limit (too many from one address).");

using enum Counter;
constexpr std::array<CounterInfo, static_cast<size_t>(Counter::count_)> table{{
    {events_accepted, "events_accepted",
     counter("ringpost_events_accepted", "Events that are durable and were acknowledged.")},
    {events_duplicate, "events_duplicate",
     counter("ringpost_events_duplicate",
             "Events acknowledged again because their id was known; not delivered again.")},
    {events_refused, "events_refused", sum("Requests for events answered 4xx or 5xx.")},
    {events_refused_invalid, "events_refused_invalid", requests_refused, refused("invalid")},
    {events_refused_unauthorized, "events_refused_unauthorized", requests_refused,
     refused("unauthorized")},
    {events_refused_throttled, "events_refused_throttled", requests_refused, refused("throttled")},
    {events_over_share, "events_over_share", requests_refused, refused("share")},
    {events_refused_overloaded, "events_refused_overloaded", requests_refused,
     refused("overloaded")},
    {events_refused_no_space, "events_refused_no_space", requests_refused, refused("no_space")},
    {events_refused_storage_failed, "events_refused_storage_failed", requests_refused,
     refused("storage_failed")},
    {deliveries_created, "deliveries_created",
     counter("ringpost_deliveries",
             "Deliveries made: one for each webhook that an event matches.")},
    {deliveries_delivered, "deliveries_delivered", deliveries_finished, result("delivered")},
    {deliveries_dead, "deliveries_dead", deliveries_finished, result("dead")},
    {deliveries_cancelled, "deliveries_cancelled", deliveries_finished, result("cancelled")},
    {deliveries_pending, "deliveries_pending",
     gauge("ringpost_deliveries_pending", "Deliveries that are due, waiting or in flight.")},
    {deliveries_in_flight, "deliveries_in_flight",
     gauge("ringpost_deliveries_in_flight", "Attempts that are under way.")},
    {attempts_started, "attempts_started",
     counter("ringpost_attempts_started", "Attempts that began.")},
    {attempts_failed, "attempts_failed", sum("Attempts that did not succeed.")},
    {attempts_succeeded, "attempts_succeeded", attempts_finished, result("success")},
    {attempts_redirected, "attempts_redirected", attempts_finished, result("redirect")},
    {attempts_client_error, "attempts_client_error", attempts_finished, result("client_error")},
    {attempts_server_error, "attempts_server_error", attempts_finished, result("server_error")},
    {attempts_bad_answer, "attempts_bad_answer", attempts_finished, result("bad_answer")},
    {attempts_timed_out, "attempts_timed_out", attempts_finished, result("timed_out")},
    {attempts_connection_failed, "attempts_connection_failed", attempts_finished,
     result("connection_failed")},
    {attempts_tls_failed, "attempts_tls_failed", attempts_finished, result("tls_failed")},
    {attempts_name_unresolved, "attempts_name_unresolved", attempts_finished,
     result("name_unresolved")},
    {attempts_denied, "attempts_denied", attempts_finished, result("denied")},
    {attempts_failed_otherwise, "attempts_failed_otherwise", attempts_finished, result("other")},
    {attempts_put_back, "attempts_put_back",
     counter("ringpost_attempts_put_back",
             "Attempts taken back because this machine was short of something (descriptors, "
             "memory); they use up nothing of the schedule.")},
    {connections_opened, "connections_opened",
     counter("ringpost_delivery_connections_opened", "Connections to receivers that were begun.")},
    {connections_reused, "connections_reused",
     counter("ringpost_delivery_connections_reused",
             "Attempts sent on a connection that an earlier attempt left open.")},
    {delivery_connections, "delivery_connections",
     gauge("ringpost_delivery_connections_open", "Connections to receivers, idle ones included.")},
    {tls_handshakes, "tls_handshakes",
     counter("ringpost_delivery_tls_handshakes",
             "TLS handshakes with receivers, full and resumed.")},
    {tls_resumptions, "tls_resumptions",
     counter("ringpost_delivery_tls_resumptions",
             "TLS handshakes with receivers that resumed a "
             "session.")},
    {journal_bytes,
     "journal_bytes",
     {"ringpost_journal_written_bytes", MetricKind::counter, "bytes",
      "Bytes written to the journals, padding included."}},
    {journal_records, "journal_records",
     counter("ringpost_journal_records", "Records appended to the journals.")},
    {syncs_completed, "syncs_completed",
     counter("ringpost_journal_syncs",
             "Durable writes to the journals that succeeded: each write is a sync.")},
    {outcomes_bare, "outcomes_bare",
     counter("ringpost_journal_outcomes_bare",
             "Final outcomes stored without request and response, for want of journal space.")},
    {outcomes_unrecorded, "outcomes_unrecorded",
     counter("ringpost_journal_outcomes_unrecorded",
             "Attempts that were not stored, for want of journal space; a restart repeats them.")},
    {storage_failed, "storage_failed",
     gauge("ringpost_journals_failed",
           "Shards whose journal failed a durable write; events are refused until a restart.")},
    {journal_short, "journal_short",
     gauge("ringpost_journals_short",
           "Shards whose journal had no room for the last event that came.")},
    {journal_full, "journal_full",
     gauge("ringpost_journals_full", "Shards whose journal accepts no event, for want of space.")},
    {http_requests, "http_requests",
     counter("ringpost_http_requests", "Requests that were read, of all APIs.")},
    {connections_accepted, "connections_accepted",
     counter("ringpost_connections_accepted", "Incoming connections that were accepted.")},
    {connections_open, "connections_open",
     gauge("ringpost_connections_open", "Incoming connections that are open.")},
    {connections_displaced, "connections_displaced", connections_closed, {"reason", "displaced"}},
    {connections_turned_away, "connections_turned_away", connections_closed, {"reason", "full"}},
    {connections_over_address,
     "connections_over_address",
     connections_closed,
     {"reason", "address_limit"}},
    {tls_accepted, "tls_accepted",
     counter("ringpost_tls_handshakes", "TLS handshakes of incoming connections.")},
    {requests_too_slow, "requests_too_slow",
     counter("ringpost_http_requests_too_slow", "Requests answered 408.")},
    {bodies_without_room, "bodies_without_room",
     counter("ringpost_http_bodies_refused",
             "Requests answered 503 because bodies used up ingest.bodies_bytes_max.")},
    {tokens_refused, "tokens_refused",
     counter("ringpost_tokens_refused", "Requests with an invalid token, of all APIs.")},
    {tokens_throttled, "tokens_throttled",
     counter("ringpost_tokens_throttled",
             "Requests with an invalid token answered 429: too many from one address.")},
    {passwords_refused, "passwords_refused",
     counter("ringpost_passwords_refused", "Attempts to sign in with a wrong name or password.")},
    {passwords_throttled, "passwords_throttled",
     counter("ringpost_passwords_throttled",
             "Attempts to sign in answered 429: too many were made.")},
    {ids_forgotten_early, "ids_forgotten_early",
     counter("ringpost_event_ids_forgotten_early",
             "Event ids forgotten before ingest.idempotency_window was over.")},
    {names_queued, "names_queued",
     counter("ringpost_names_queued",
             "Look-ups of names that had to wait until fewer were under way.")},
    {ring_submissions, "ring_submissions",
     counter("ringpost_ring_submissions", "Operations handed to the kernel.")},
    {ring_completions, "ring_completions",
     counter("ringpost_ring_completions", "Completions of operations.")},
    {ring_enters, "ring_enters",
     counter("ringpost_ring_system_calls",
             "System calls of the shards: into io_uring, or for epoll and its sockets.")},
    {ring_sleeps, "ring_sleeps",
     counter("ringpost_ring_waits", "Turns of a shard that waited for the kernel.")},
    {ring_starvations, "ring_starvations",
     counter("ringpost_ring_buffer_shortages", "Receives that found no buffer and waited.")},
    {ring_accept_pauses, "ring_accept_pauses",
     counter("ringpost_ring_accept_pauses", "Accepts that found no descriptor or memory.")},
    {ring_overflows, "ring_overflows",
     counter("ringpost_ring_overflows",
             "Times the completion queue overflowed; anything but 0 is a defect of ringpost.")},
}};

constexpr bool rows_are_in_order() {
  for (size_t index = 0; index < table.size(); ++index) {
    if (table[index].counter != static_cast<Counter>(index)) return false;
  }
  return true;
}
static_assert(rows_are_in_order(), "a row for each counter, in the order of the enumeration");

}  // namespace

const MetricInfo accept_latency_info{
    "ringpost_accept_latency_seconds", MetricKind::histogram, "seconds",
    "From a whole request for events to its 202, which says that they are durable."};
const MetricInfo delivery_latency_info{
    "ringpost_delivery_latency_seconds", MetricKind::histogram, "seconds",
    "From an event's acceptance to the end of a first attempt that succeeded."};

std::span<const CounterInfo> counter_table() {
  return table;
}

const CounterInfo& info(Counter counter) {
  RINGPOST_ASSERT(counter < Counter::count_);
  return table[static_cast<size_t>(counter)];
}

}  // namespace ringpost
