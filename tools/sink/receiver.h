#pragma once

#include "io/ring.h"
#include "net/tls.h"
#include "sink/endpoints.h"

#include <simdjson.h>

#include <unordered_set>

namespace ringpost::sink {

/// Where connections come in.
struct Door {
  Endpoint* endpoint = nullptr;   ///< Null: the Host of each request decides.
  net::ServerTls* tls = nullptr;  ///< Null: plain http.
};

class Connection;

/// The connections of one thread: reads requests and answers them, on its ring.
///
/// Life: `adopt` connections, turn the ring; `stop`, and turn until nothing is pending.
class Receiver {
 public:
  Receiver(io::Ring& ring, Endpoints& endpoints) : ring_(ring), endpoints_(endpoints) {}

  /// Takes over an accepted connection. @param door  lives longer than the receiver.
  void adopt(io::Socket socket, const Door& door);
  /// Resets the connections that came in through a door.
  void drop(const Door& door);
  void stop();

 private:
  friend class Connection;

  io::Ring& ring_;
  Endpoints& endpoints_;
  std::unordered_set<Connection*> connections_;
  simdjson::dom::parser parser_;
};

}  // namespace ringpost::sink
