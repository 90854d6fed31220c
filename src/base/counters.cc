#include "base/counters.h"

#include "base/assert.h"

namespace ringpost {

std::string_view name(Counter counter) {
  switch (counter) {  // No default: a new counter has to get a name, or the build warns.
    case Counter::events_accepted: return "events_accepted";
    case Counter::events_duplicate: return "events_duplicate";
    case Counter::events_refused: return "events_refused";
    case Counter::events_over_share: return "events_over_share";
    case Counter::deliveries_created: return "deliveries_created";
    case Counter::deliveries_delivered: return "deliveries_delivered";
    case Counter::deliveries_dead: return "deliveries_dead";
    case Counter::deliveries_cancelled: return "deliveries_cancelled";
    case Counter::attempts_started: return "attempts_started";
    case Counter::attempts_failed: return "attempts_failed";
    case Counter::attempts_put_back: return "attempts_put_back";
    case Counter::connections_opened: return "connections_opened";
    case Counter::connections_reused: return "connections_reused";
    case Counter::tls_handshakes: return "tls_handshakes";
    case Counter::tls_resumptions: return "tls_resumptions";
    case Counter::journal_bytes: return "journal_bytes";
    case Counter::journal_records: return "journal_records";
    case Counter::syncs_completed: return "syncs_completed";
    case Counter::outcomes_bare: return "outcomes_bare";
    case Counter::outcomes_unrecorded: return "outcomes_unrecorded";
    case Counter::http_requests: return "http_requests";
    case Counter::connections_accepted: return "connections_accepted";
    case Counter::connections_displaced: return "connections_displaced";
    case Counter::connections_turned_away: return "connections_turned_away";
    case Counter::connections_over_address: return "connections_over_address";
    case Counter::requests_too_slow: return "requests_too_slow";
    case Counter::bodies_without_room: return "bodies_without_room";
    case Counter::deliveries_pending: return "deliveries_pending";
    case Counter::deliveries_in_flight: return "deliveries_in_flight";
    case Counter::journal_short: return "journal_short";
    case Counter::journal_full: return "journal_full";
    case Counter::storage_failed: return "storage_failed";
    case Counter::tokens_refused: return "tokens_refused";
    case Counter::tokens_throttled: return "tokens_throttled";
    case Counter::ids_forgotten_early: return "ids_forgotten_early";
    case Counter::names_queued: return "names_queued";
    case Counter::count_: break;
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace ringpost
