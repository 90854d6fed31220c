#pragma once

#include "io/ring.h"
#include "net/tls.h"
#include "sink/endpoints.h"
#include "sink/receiver.h"
#include "sink/worker.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace ringpost::sink {

/// The listeners of all endpoints. They hand each connection to one of the receivers, in turn; a
/// listener is closed while its endpoint refuses connections.
///
/// Life: as Receiver. Used by the thread of its ring, which is its own receiver's, too.
class Doors {
 public:
  /// @param workers  more receivers, on other threads; they live longer, or are stopped first.
  Doors(io::Ring& ring, Endpoints& endpoints, Receiver& receiver,
        const std::vector<std::unique_ptr<Worker>>& workers)
      : ring_(ring), endpoints_(endpoints), receiver_(receiver), workers_(workers) {}

  /// Takes over a listener at `address` for one endpoint, whose url it sets.
  /// @param tls  lives longer than the receivers; null: plain http.
  void open(io::Socket listener, const io::Address& address, net::ServerTls* tls,
            Endpoint& endpoint);
  /// The same for all endpoints that are there: the request's Host tells which one is meant,
  /// `NAME.sink.localhost`; any other is answered with 421.
  void open_by_name(io::Socket listener, const io::Address& address, net::ServerTls* tls);

  void stop();

 private:
  struct Listener {
    Doors& doors;
    const Door door;
    const io::Address address;
    io::Socket socket;
    io::Completion accepting;
    io::Completion closing;

    void on_accept(const io::Outcome& outcome);
    void on_closed(const io::Outcome&) {}
  };

  void listen(io::Socket socket, const io::Address& address, net::ServerTls* tls,
              Endpoint* endpoint);
  void hand_over(io::Socket socket, const Door& door);
  void shut(Listener& listener);
  void reopen(Listener& listener);
  /// Opens and shuts as outages begin and end.
  void sweep();

  io::Ring& ring_;
  Endpoints& endpoints_;
  Receiver& receiver_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  std::deque<Listener> listeners_;  ///< Stay where they are.
  uint64_t handed_over_ = 0;
  io::Timer sweeping_;
};

}  // namespace ringpost::sink
