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
struct Endpoint {
  std::string key;
  std::string host;
  uint16_t port = 0;
  std::unique_ptr<net::ClientTls> tls;  ///< Null for plain http, and if its CA is unreadable.
  bool tls_wanted = true;
  Duration idle_max{};  ///< Lowered by Keep-Alive: timeout and by connections found closed.
  uint32_t connection_count = 0;
  IntrusiveList<Connection, &Connection::idle_link> idle;  ///< Most recently used first.
  IntrusiveList<Target, &Target::endpoint_link> targets;
  /// Have something ready and wait for a connection of this endpoint to become free.
  IntrusiveList<Target, &Target::active_link> blocked;
};

}  // namespace ringpost::delivery
