#pragma once

#include "delivery/connection.h"
#include "dialect/renderer.h"
#include "http/response_parser.h"
#include "io/ring.h"

#include <cstdint>
#include <optional>

namespace ringpost::delivery {

/// An attempt whose request goes to a program that listens (Webhook::is_listener) and not to a
/// server: the program is given its bytes, and gives those of an answer back.
class ListenedAttempt {
 public:
  ListenedAttempt(Dispatcher& dispatcher, const Attempt& attempt, uint64_t ticket);

  /// Renders the request and hands it to the host. May be the last thing this object does, as all
  /// that follow.
  void begin();
  /// @param answer  as a server's: head and body.
  void on_answer(Bytes answer);
  /// The program got none.
  void on_failure(const Error& error);
  /// It was not asked, or nobody will hear: as if the attempt had not begun.
  void take_back();
  /// Ends without settling: the relay stops.
  void abort();

  uint64_t ticket() const { return ticket_; }
  uint32_t webhook_number() const { return webhook_number_; }
  Endpoint& endpoint() { return *attempt_.endpoint; }

  ListLink link;  ///< In the dispatcher's list.

 private:
  void on_deadline();
  void settle(std::optional<Error> error);

  Dispatcher& dispatcher_;
  Attempt attempt_;
  const uint64_t ticket_;
  const uint32_t webhook_number_;
  dialect::Request request_;
  http::ResponseParser parser_;
  StepTimes times_;
  io::Timer timer_;
};

}  // namespace ringpost::delivery
