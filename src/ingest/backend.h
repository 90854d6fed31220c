#pragma once

#include "http/message.h"
#include "http/problem.h"
#include "io/address.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace ringpost::ingest {

/// What a listener offers (`serves` in the configuration). A route that a request's listener does
/// not serve does not exist for it.
struct Serves {
  bool events = false;
  bool api = false;
  bool metrics = false;
  bool console = false;
  bool cloudevents = false;  ///< Events at `POST /`.

  bool takes_events() const { return events || cloudevents; }
};

/// Where a request came from.
struct Origin {
  const io::Address& peer;
  bool tls = false;
  Serves serves;
};

/// On which terms a body is read.
struct BodyTerms {
  uint64_t bytes_max = 1024 * 1024;
  /// Whose token the request has, once it was looked at and is good (BodyBudget::Share).
  std::optional<uint64_t> organization{};
};

/// Who answers the requests that a Server reads: the shard's routes.
class Backend {
 public:
  virtual ~Backend() = default;

  /// The head of a request is here, its body is not. @param terms  to be set to the route's.
  /// @returns a refusal that spares us the body, or nothing.
  virtual std::optional<http::Problem> before_body(const http::Request& head, const Origin& origin,
                                                   BodyTerms& terms) = 0;

  /// A request is refused before it is whole: by before_body, or as too large, too slow, malformed.
  /// Called once for each. @param head  what could be read of it; its path is empty if the request
  /// line itself could not be. @returns the answer.
  virtual http::Response refuse(const http::Request& head, const Origin& origin,
                                const http::Problem& problem) = 0;

  /// A whole request. To be answered, or dropped, once: now or in a later turn.
  virtual void on_request(http::RequestHandle handle, std::unique_ptr<http::Request> request,
                          const Origin& origin) = 0;

  // Of answers that come in pieces (Server::open_answer).

  /// The kernel has taken all pieces that were given until now, `bytes` since the last time.
  virtual void on_pieces_taken(http::RequestHandle /*handle*/, uint64_t /*bytes*/) {}
  /// The client has gone, takes nothing, or the server stops: no more pieces are wanted, and the
  /// answer has been ended. Not called after Server::end_answer.
  virtual void on_answer_cut(http::RequestHandle /*handle*/) {}
};

}  // namespace ringpost::ingest
