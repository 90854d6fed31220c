#pragma once

#include "http/message.h"
#include "io/ring.h"
#include "net/stream.h"
#include "sink/endpoint.h"

#include <simdjson.h>

#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ringpost::sink {

/// What all endpoints have in common.
struct Options {
  bool print = false;       ///< Show every request.
  std::string ledger_file;  ///< Append one line per request.
  std::string
      id_member;  ///< JSON pointer in the body, without its first slash: numbers events from 1.
  std::string order_key;  ///< Likewise: events of one key are to come in order. Needs `id_member`.
  uint64_t expect = 0;    ///< With `id_member`: each endpoint is to get events 1 to this number.
  uint64_t seed = 1;
  /// Hears of every request, before it is answered, on the receiver's thread; may be empty.
  std::function<void(const http::Request&, const dialect::Verdict&)> on_request;
};

class Connection;

/// Accepts connections for any number of endpoints and answers what comes, on one ring.
///
/// Life: `add` the endpoints, `serve` them, turn the ring; `stop`, and turn until nothing is
/// pending.
class Receiver {
 public:
  Receiver(io::Ring& ring, const Options& options);
  ~Receiver();

  Endpoint& add(EndpointPlan plan);
  /// Takes over a listener at `address` for one endpoint, whose url it sets.
  /// @param tls  lives longer than the receiver; null: plain http.
  void serve(io::Socket listener, const io::Address& address, net::ServerTls* tls,
             Endpoint& endpoint);
  /// The same for all endpoints that are there: the request's Host tells which one is meant.
  /// `NAME.sink.localhost`; any other is answered with 421.
  void serve_by_name(io::Socket listener, const io::Address& address, net::ServerTls* tls);

  uint64_t requests() const { return requests_; }
  /// Of all endpoints. Not cheap.
  Totals totals() const;
  /// How many of the expected numbers have not come, all endpoints together.
  uint64_t missing_count() const;
  uint64_t duplicates() const;
  uint64_t duplicates_after_success() const;
  uint64_t out_of_order() const;
  const std::deque<Endpoint>& endpoints() const { return endpoints_; }
  const Options& options() const { return options_; }
  Duration elapsed() const { return ring_.now() - start_; }
  /// From the first request to the last one.
  Duration busy_time() const { return last_request_ - first_request_; }

  void stop();

 private:
  friend class Connection;

  /// A listener. Closed while its endpoint refuses connections.
  struct Door {
    Receiver& receiver;
    Endpoint* endpoint;  ///< Null: the Host decides.
    io::Address address;
    net::ServerTls* tls;
    io::Socket listener;
    io::Completion accepting;
    io::Completion closing;

    void on_accept(const io::Outcome& outcome);
    void on_closed(const io::Outcome&) {}
  };

  Door& open_door(io::Socket listener, const io::Address& address, net::ServerTls* tls,
                  Endpoint* endpoint);
  void shut(Door& door);
  void reopen(Door& door);
  /// Opens and shuts doors as outages begin and end.
  void sweep();

  /// The endpoint that a request is for; null: there is none.
  Endpoint* endpoint_of(const Door& door, const http::Request& request);
  struct Taken {
    Decision decision;
    Ledger::Delivery* delivery = nullptr;  ///< Null: unknown.
  };
  /// Counts, verifies and notes a request.
  Taken take(Endpoint& endpoint, const http::Request& request);
  Ledger::Delivery* enter_in_ledger(Endpoint& endpoint, const http::Request& request,
                                    std::string_view delivery);
  struct Judgement {
    dialect::Verdict signature;
    std::string_view delivery;
    uint16_t status = 0;  ///< Of the answer.
  };
  void note(const Endpoint& endpoint, const http::Request& request, const Judgement& judgement);
  void write_line(const Endpoint& endpoint, const http::Request& request,
                  const Judgement& judgement);
  /// Where what belongs to a connection is counted.
  Totals& totals_of(const Door& door);

  io::Ring& ring_;
  const Options options_;
  const Instant start_;
  const HashKey key_;
  std::FILE* ledger_ = nullptr;
  std::deque<Endpoint> endpoints_;  ///< Stay where they are.
  std::unordered_map<std::string, Endpoint*> by_host_;
  std::deque<Door> doors_;
  io::Timer sweeping_;
  std::unordered_set<Connection*> connections_;
  simdjson::dom::parser parser_;
  Totals unnamed_;  ///< Of connections, and of requests that no endpoint was found for.
  uint64_t requests_ = 0;
  Instant first_request_{};
  Instant last_request_{};
};

}  // namespace ringpost::sink
