#pragma once

#include "base/bytes.h"
#include "http/body_reader.h"
#include "http/head_reader.h"
#include "http/message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::http {

/// The bounds of one request's head (reliability I-6). The body's bound comes with `accept_body`.
struct RequestLimits {
  uint32_t request_line_bytes_max = 8 * 1024;
  uint32_t header_line_bytes_max = 8 * 1024;
  uint32_t headers_max = 100;
  uint32_t header_bytes_max = 32 * 1024;  ///< All header lines together.
};

/// Why a request is refused: the status of the answer and two texts (static).
struct HttpError {
  uint16_t status = 0;
  std::string_view title;   ///< The status's reason phrase.
  std::string_view detail;  ///< One sentence without a stop.
};

/// The one reader of HTTP/1.1 and 1.0 requests, for all listeners. llhttp takes the head apart,
/// between our own check of its lines and our own reading of what delimits the body; what could be
/// read in two ways is refused. Any cut of the bytes gives the same result.
///
/// Life, for each request of a connection: `feed` until `head_complete`; `accept_body` with the
/// route's limit; `feed` the rest until `complete`; `take_request`. After `failed` the parser is
/// spent: answer `error()` and close, because nobody knows where the next request would begin.
/// Bytes that `feed` left over belong to the next request (pipelining).
///
/// Memory: the head's limits once while it arrives in pieces, the request itself, none when idle.
class RequestParser {
 public:
  enum class Progress : uint8_t { need_more, head_complete, complete, failed };

  explicit RequestParser(const RequestLimits& limits = {});

  /// Reads on. @param consumed  set to how many of `bytes` were used; with `need_more` all of them.
  /// Must not be called at `head_complete` (call `accept_body`), `complete` or `failed`.
  Progress feed(Bytes bytes, size_t& consumed);

  /// After `head_complete`: read the body, of at most `body_bytes_max` bytes. Answers `complete` if
  /// there is no body, `failed` (413) if the announced length is beyond the limit, else
  /// `need_more`.
  Progress accept_body(uint64_t body_bytes_max);

  /// From `head_complete`: the request, without its body before `complete`. Before, and after a
  /// failure: what could be read of it; without a readable target its path is empty. Of a line that
  /// was too long it is the part within the limit.
  const Request& request() const { return request_; }
  /// After `complete`: the request; the parser is then ready for the next one.
  Request take_request();

  /// From `head_complete`: the client waits for `100 Continue` before it sends the body. False for
  /// HTTP/1.0 and for requests without a body. Send `continue_answer` only if the body is wanted.
  bool expect_continue() const { return expect_continue_; }
  /// From `head_complete`: whether a body follows, and its length if that was announced.
  bool has_body() const { return framing_ != BodyFraming::none; }
  std::optional<uint64_t> content_length() const { return content_length_; }
  /// From `head_complete`: the client speaks HTTP/1.0 (see ResponseForm).
  bool http_1_0() const { return http_1_0_; }

  /// After `failed`.
  const HttpError& error() const { return error_; }
  /// No byte of a request was seen since the last one was taken: the connection may be closed.
  bool idle() const { return state_ == State::head && !head_reader_.begun(); }

 private:
  enum class State : uint8_t { head, head_complete, body, complete, failed };

  Progress feed_head(Bytes bytes, size_t& consumed);
  Progress feed_body(Bytes bytes, size_t& consumed);
  bool read_line(std::string_view line);
  bool read_request_line(std::string_view line);
  void note_path(std::string_view line);
  bool read_head(std::string_view head);
  bool read_connection();
  bool read_host();
  bool read_framing();
  bool read_expectation();
  Progress complete();
  Progress too_large();
  bool refuse(uint16_t status, std::string_view detail);

  HeadReader head_reader_;
  BodyReader body_reader_;
  State state_ = State::head;
  BodyFraming framing_ = BodyFraming::none;
  bool http_1_0_ = false;
  std::string authority_;  ///< Of a target in absolute form.
  bool expect_continue_ = false;
  std::optional<uint64_t> content_length_;
  uint64_t body_bytes_max_ = 0;
  Request request_;
  HttpError error_;
};

/// The interim answer to a client that waits (RFC 9110, 10.1.1).
inline constexpr std::string_view continue_answer = "HTTP/1.1 100 Continue\r\n\r\n";

/// simdjson reads up to this many bytes beyond a body's end; they are allocated there.
inline constexpr size_t body_padding_bytes = 64;

}  // namespace ringpost::http
