#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "http/body_reader.h"
#include "http/head_reader.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::http {

/// The bounds of one answer (reliability N-4). Bytes beyond `body_bytes_max` are never read.
struct ResponseLimits {
  uint32_t status_line_bytes_max = 8 * 1024;
  uint32_t header_line_bytes_max = 8 * 1024;
  uint32_t headers_max = 100;
  uint32_t head_bytes_max = 16 * 1024;  ///< Of all header lines; the same again for interim ones.
  uint32_t interim_max = 8;             ///< 1xx answers before the final one.
  uint32_t body_bytes_max = 16 * 1024;  ///< Kept of the body.
};

/// The one reader of answers to our requests (never to HEAD), as strict as for requests. An
/// ordinary answer is read in one pass and copied once. Any cut of the bytes gives the same result.
///
/// Life: `feed` until something else than `need_more`; `on_eof` when the stream ends before;
/// `reset` before the next answer on a connection that is `reusable()`.
class ResponseParser {
 public:
  static constexpr size_t refused_head_bytes_max = 1024;

  /// `captured`: the head and `body_bytes_max` bytes of the body are here and more came; settle by
  /// the status and close, nothing more is read (the answer is not `complete()`).
  enum class Progress : uint8_t { need_more, captured, complete, failed };

  explicit ResponseParser(const ResponseLimits& limits = {});

  /// Reads on. Bytes after the end of the answer are a second one that nobody asked for: the
  /// connection is then not reusable. Must not be called after anything but `need_more`.
  Progress feed(Bytes bytes);
  /// The stream ended after `need_more`. @returns true if that completes the answer (one without a
  /// length); else `error()` is Errc::closed, also when no byte of the answer came (`!begun()`).
  bool on_eof();
  /// Ready for the next answer; keeps the memory.
  void reset();

  /// A byte of an answer was seen since the last reset.
  bool begun() const { return begun_; }
  /// The whole answer is here.
  bool complete() const { return state_ == State::complete; }
  /// The answer ended where it said, keeps the connection, and nothing came after it.
  bool reusable() const { return complete() && keep_alive_ && boundary_certain_; }

  /// 200 to 599; 0 before the final answer's head is here. What follows holds from then on too.
  uint16_t status() const { return status_; }
  /// Status line and headers, with the empty line at the end. Valid until `reset`.
  std::string_view head() const { return head_; }
  /// The trimmed value of the first header `name`; empty if absent.
  std::string_view header(std::string_view name) const;
  /// `Keep-Alive: timeout=<seconds>`, if the endpoint says so.
  std::optional<uint32_t> keep_alive_timeout_s() const;
  /// The first `body_bytes_max` bytes of the body, without framing. Valid until `reset`.
  Bytes body() const { return as_bytes(body_); }
  /// The body seen so far, also what was not kept.
  uint64_t body_bytes_seen() const { return body_bytes_seen_; }
  /// Whether the body is longer than `body()`.
  bool truncated() const { return body_bytes_seen_ > body_.size(); }

  /// After `failed`, or `on_eof` that answered false: Errc::malformed or too_large, whose `detail`
  /// is a BadAnswer, or Errc::closed, of Side::endpoint.
  const Error& error() const { return error_; }
  /// Likewise, if the final answer's head could not be read: the first bytes of what stood there,
  /// as far as they had come. They may be anything. Valid until `reset`.
  std::string_view refused_head() const { return refused_head_; }

 private:
  enum class State : uint8_t { head, body, captured, complete, failed };

  Progress feed_head(Bytes bytes);
  Progress feed_body(Bytes bytes);
  Progress end_of_head(Bytes rest);
  Progress end_of_interim(Bytes rest);
  Progress complete(Bytes rest);
  bool read_status_line(std::string_view line);
  bool read_header_line(std::string_view line);
  bool decide_framing(BodyFraming& framing, uint64_t& length);
  Progress fail(BadAnswer reason);
  bool refuse(BadAnswer reason);
  void end_with(const Error& error);
  void begin_head();

  const ResponseLimits limits_;
  HeadReader head_reader_;
  BodyReader body_reader_;
  State state_ = State::head;
  bool begun_ = false;

  // Of the head being read.
  uint16_t status_read_ = 0;
  bool http_1_0_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool has_coding_ = false;
  std::optional<uint64_t> length_;

  // Of the final answer.
  uint16_t status_ = 0;
  bool keep_alive_ = false;
  bool boundary_certain_ = false;
  uint32_t interim_ = 0;
  uint64_t body_bytes_seen_ = 0;
  std::string head_;
  std::string body_;
  Error error_{Errc::malformed, Side::endpoint};
  std::string refused_head_;
};

}  // namespace ringpost::http
