#pragma once

#include "base/intrusive_list.h"
#include "delivery/connection.h"
#include "delivery/target.h"
#include "net/tls.h"

#include <cstdint>
#include <memory>
#include <string>

namespace ringpost::delivery {

/// Everything that shares connections: scheme, host, port and the same trust settings
/// (subscription::endpoint_key).
///
/// A connection is used again only where its receiver is known to keep to one answer a request. A
/// new endpoint's have to be silent for a while after their first answer; one that ever sent more,
/// or answered before it had the request, gets a new connection for each attempt.
struct Endpoint {
  /// What is remembered beyond the endpoint's use, for the life of the process.
  struct Learnt {
    bool distrusted = false;
    Duration idle_max = Duration::max();
    Circuit circuit;
    Error last_failure{};
  };

  Dispatcher& dispatcher;

  std::string key;
  std::string host;
  uint16_t port = 0;
  std::unique_ptr<net::ClientTls> tls;  ///< Null for plain http, and if its CA is unreadable.
  bool tls_wanted = true;
  bool is_listener = false;  ///< A program that listens, of one webhook: nothing to connect to.
  Duration idle_max{};       ///< Lowered by Keep-Alive: timeout and by connections found closed.
  bool proved_silent = false;
  bool proved_patient = false;  ///< A receiver said nothing before it was asked.
  bool distrusted = false;
  uint32_t connection_count = 0;
  Error last_failure{};   ///< To reach it.
  Circuit circuit;        ///< Of reaching it: name, connect, TLS handshake.
  io::Timer probe_timer;  ///< While targets wait for its circuit.
  IntrusiveList<Connection, &Connection::idle_link> idle;  ///< Most recently used first.
  /// Not used again before one of them was silent for Limits::silence_time.
  IntrusiveList<Connection, &Connection::idle_link> proving;
  IntrusiveList<Target, &Target::endpoint_link> targets;
  /// Have something ready and wait for a connection of this endpoint, or for its circuit.
  IntrusiveList<Target, &Target::active_link> blocked;

  explicit Endpoint(Dispatcher& owner) : dispatcher(owner) {}

  void on_probe_due();
};

}  // namespace ringpost::delivery
