#pragma once

#include "http/message.h"
#include "http/problem.h"

namespace ringpost::ingest {

/// Where answers to requests go: ingest::Server, or a test's own.
class Answers {
 public:
  virtual ~Answers() = default;
  /// Answers a request, once. A stale handle is ignored: its client has gone.
  virtual void answer(http::RequestHandle handle, const http::Response& response) = 0;
  /// The body of the request takes so many bytes of memory by now, until the answer. @returns
  /// whether there is room for it; false with a stale handle.
  virtual bool hold(http::RequestHandle handle, uint64_t bytes) = 0;
  /// Closes the connection of a request without an answer. Stale handles are ignored.
  virtual void drop(http::RequestHandle handle) = 0;
};

/// The answer that refuses a request: with `WWW-Authenticate` where RFC 9110, 11.6.1 wants it.
http::Response refusal_response(const http::Problem& problem);

}  // namespace ringpost::ingest
