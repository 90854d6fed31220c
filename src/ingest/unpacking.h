#pragma once

#include "http/gzip.h"
#include "http/message.h"
#include "http/problem.h"
#include "ingest/answers.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::ingest {

/// Unpacks the body of a request with gzip, a slice at a time. What it comes to is bounded like any
/// body, and held for the connection (Answers::hold) before the memory is there: a few bytes can
/// claim a thousand times as many.
class Unpacking {
 public:
  /// @param request  borrowed until the end. @param bytes_max  of the body when it is unpacked.
  Unpacking(http::Request& request, uint64_t bytes_max);

  /// A slice. @param work_left  becomes less by a step for each byte. @returns why the request is
  /// refused. When `done`, the request's body is the unpacked one.
  std::optional<http::Problem> proceed(Answers& answers, http::RequestHandle handle,
                                       int64_t& work_left);
  bool done() const { return done_; }

 private:
  bool make_room(Answers& answers, http::RequestHandle handle);
  http::Problem too_large() const;

  http::Request& request_;
  const uint64_t bytes_max_;
  std::string_view input_;
  http::GzipReader reader_;
  std::string body_;
  uint64_t room_ = 0;  ///< What is held for `body_`.
  bool done_ = false;
};

}  // namespace ringpost::ingest
