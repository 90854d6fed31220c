#pragma once

#include "base/clock.h"
#include "delivery/circuit.h"

#include <cstdint>

namespace ringpost::delivery {

/// The bounds of one shard's deliveries. Memory at the limits: 1 M pending x 32 B = 32 MB, 64 MiB
/// of events, 4,096 attempts x (16 KiB of answer + about 1 KiB of request).
struct Limits {
  /// Deliveries that have not ended. Beyond it the relay refuses events at the door.
  uint64_t pending_max = 1'000'000;
  /// Bytes of events kept in memory for deliveries that wait; beyond it they are read back from the
  /// journal when their turn comes.
  uint64_t retained_bytes_max = 64u << 20;
  /// A delivery that waits longer than this for its next attempt lets go of its event.
  Duration retained_for_max = std::chrono::seconds{15};
  uint32_t attempts_in_flight_max = 4096;
  /// Bytes of the events of attempts in flight: a receiver that takes a large request slowly has it
  /// in memory meanwhile.
  uint64_t bytes_in_flight_max = 64u << 20;
  /// Events being read back from the journal at the same time.
  uint32_t loads_max = 64;
  /// How long the records of attempts may wait for others to share a write with. A crash repeats
  /// what was delivered in that time.
  Duration outcome_delay = std::chrono::milliseconds{10};
  /// Half the descriptors of a usual limit of 16,384, so that ingest and journal have theirs.
  uint32_t connections_max = 8192;
  uint32_t connections_per_endpoint_max = 64;
  /// What only those in good standing may use (Conduct::good): of attempts and of new connections
  /// in a turn, one in so many.
  uint32_t reserve_divisor = 4;
  /// A success that took longer does not make for good standing.
  Duration good_time_max = std::chrono::seconds{1};
  /// The circuits of endpoints and webhooks.
  Circuit::Options circuit;
  /// Webhooks whose receivers' conduct is remembered beyond their deliveries.
  uint32_t conducts_max = 65'536;
  /// After descriptors or memory ran out here, how long no new connection is opened.
  Duration shortage_pause = std::chrono::milliseconds{100};
  /// New connections per turn of the loop: four full handshakes are a millisecond of CPU.
  uint32_t connects_per_turn_max = 4;
  /// Attempts begun per turn: keeps a turn below about a millisecond.
  uint32_t attempts_per_turn_max = 64;
  /// How long a connection is kept without use. Receivers may ask for less (Keep-Alive: timeout).
  Duration idle_max = std::chrono::seconds{55};
  /// How long the first connections of an endpoint have to be silent behind their answer before any
  /// of it is used again.
  Duration silence_time = std::chrono::milliseconds{100};
  /// How long the first connections of an endpoint are listened to before anything is sent: what
  /// comes meanwhile answers no request. All of them, if the endpoint is distrusted.
  Duration listen_time = std::chrono::milliseconds{10};
  /// Endpoints of which is remembered what their receivers' connections showed.
  uint32_t endpoints_learnt_max = 1024;
  /// Endpoints whose TLS tickets are kept while they are not in use: some kilobytes each.
  uint32_t tls_kept_max = 1024;
  uint32_t response_body_bytes_max = 16 * 1024;
  /// By how much attempts of a paced webhook may catch up when they began late: timers have ticks.
  /// In any second begin at most as many as it allows, and what this time is worth.
  Duration pace_credit_max = std::chrono::milliseconds{50};
};

}  // namespace ringpost::delivery
