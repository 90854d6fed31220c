#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "http/response_parser.h"
#include "io/address.h"
#include "io/ring.h"
#include "io/timer.h"
#include "load/workload.h"
#include "net/stream.h"
#include "net/tls.h"

#include <cstdint>
#include <optional>
#include <string>

namespace ringpost::load {

class Exchange;

/// Who uses exchanges. Calls come from the ring's turn.
class ExchangeOwner {
 public:
  virtual ~ExchangeOwner() = default;
  /// The answer to the exchange's request is here.
  virtual void on_answer(Exchange& exchange, uint16_t status, Bytes body) = 0;
  /// There will be none, if it had a request; else the connection could not be opened.
  virtual void on_failure(Exchange& exchange, const Error& error, bool had_request) = 0;
  /// The exchange can take a request: connected, or closed and ready to connect. May come again for
  /// one that is free: it lost its connection.
  virtual void on_free(Exchange& exchange) = 0;
};

/// Where to connect.
struct Endpoint {
  io::Address address;
  std::string host;               ///< For TLS: a name, or an address without brackets.
  net::ClientTls* tls = nullptr;  ///< Null: plain. Lives longer than the exchanges.
};

/// One connection with one request at a time, which it keeps between requests and opens again when
/// it was lost.
class Exchange final : private net::StreamOwner {
 public:
  Exchange(io::Ring& ring, const Endpoint& endpoint, ExchangeOwner& owner, Duration timeout);

  /// Connects without a request, and then calls `on_free`; or `on_failure`, then `on_free`.
  void open();
  /// Sends a request, connecting first where need be. Only when free.
  void send(Outgoing& request, uint64_t number, Instant scheduled);
  /// Ends the connection; an unanswered request is forgotten.
  void stop();

  /// Whether `send` may be called. A free exchange is not while it closes a lost connection.
  bool ready() const { return state_ == State::idle || state_ == State::closed; }
  bool connected() const { return state_ == State::idle || state_ == State::busy; }
  bool waiting() const { return waiting_; }  ///< For the answer to a request.
  bool stopped() const { return state_ == State::closed; }
  /// Of the request under way, or the last one.
  uint64_t number() const { return number_; }
  Instant scheduled() const { return scheduled_; }
  /// How often a connection was made.
  uint64_t connections() const { return connections_; }
  TlsSession tls_session() const { return tls_session_; }

  bool listed = false;  ///< Its owner's: it is in the list of free ones.

 private:
  enum class State : uint8_t { closed, opening, idle, busy, closing };

  void connect();
  void write();
  void finish();
  void fail(const Error& error);
  void close(bool graceful);
  void on_deadline();

  void on_stream_open() override;
  void on_stream_bytes(Bytes bytes) override;
  void on_stream_sent() override {}
  void on_stream_end(std::optional<Error> error) override;
  void on_stream_closed() override;

  io::Ring& ring_;
  const Endpoint& endpoint_;
  ExchangeOwner& owner_;
  const Duration timeout_;
  net::Stream stream_;
  http::ResponseParser parser_;
  io::Timer deadline_;
  State state_ = State::closed;
  bool waiting_ = false;  ///< A request waits for its answer.
  bool stopping_ = false;
  Outgoing request_;
  uint64_t number_ = 0;
  Instant scheduled_{};
  uint64_t connections_ = 0;
  TlsSession tls_session_;
};

}  // namespace ringpost::load
