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
  uint32_t headers_max = 1000;
  uint32_t head_bytes_max = 32 * 1024;  ///< Of all header lines; the same again for interim ones.
  uint32_t interim_max = 32;            ///< 1xx answers before the final one.
  uint32_t body_bytes_max = 16 * 1024;  ///< Kept of the body.
};

/// The one reader of answers to our requests (never to HEAD). An ordinary answer is read in one
/// pass and copied once. Any cut of the bytes gives the same result.
///
/// The head of the final answer is the answer (RFC 9110, 15): once its status is read, nothing that
/// is wrong behind it takes the status back. What strict rules would refuse there is noted in
/// `fault()` and costs the connection (`reusable()`). What is wrong with the body, or with a head
/// beyond the limits, ends the reading at once; so does a head that does not say where the body
/// ends, whose body is not read.
///
/// Life: `feed` until something else than `need_more`; `on_end` when the stream ends before, or the
/// time is up; `reset` before the next answer on a connection that is `reusable()`.
class ResponseParser {
 public:
  static constexpr size_t refused_head_bytes_max = 1024;
  static constexpr size_t kept_head_bytes_max = 16 * 1024;

  /// `enough`: the head is here, and nothing more is to be read, because `body_bytes_max` bytes of
  /// the body are here and more came, or because of a fault: settle by the status and close (the
  /// answer is not `complete()`). `failed`: there is no final answer that can be read.
  enum class Progress : uint8_t { need_more, enough, complete, failed };

  explicit ResponseParser(const ResponseLimits& limits = {});

  /// Reads on. Bytes after the end of the answer are a second one that nobody asked for: the
  /// connection is then not reusable. Must not be called after anything but `need_more`.
  Progress feed(Bytes bytes);
  /// Nothing more comes after `need_more`: the stream ended in order, or `error` says how else
  /// (Errc::timed_out: the time is up). @returns whether the final answer's head is here: settle
  /// by the status and close; the answer is complete if its body ended so. Else see `error()`.
  bool on_end(const std::optional<Error>& error);
  /// Ready for the next answer; keeps the memory.
  void reset();

  /// A byte of an answer was seen since the last reset.
  bool begun() const { return begun_; }
  /// The whole answer is here.
  bool complete() const { return state_ == State::complete; }
  /// The answer ended where it said, without a fault, keeps the connection, and nothing came after.
  bool reusable() const { return complete() && keep_alive_ && boundary_certain_ && !fault_; }
  /// Bytes came behind the end of this answer.
  bool surplus() const { return surplus_; }
  /// The first thing wrong with an answer that counts by its status all the same.
  std::optional<BadAnswer> fault() const { return fault_; }

  /// 200 to 599; 0 before the final answer's head is here. What follows holds from then on too.
  uint16_t status() const { return status_; }
  /// Status line and headers, with the empty line at the end; folds are undone and control bytes
  /// replaced by spaces (RFC 9112, 5.2; RFC 9110, 5.5). Of a head beyond the limits its first
  /// lines. Valid until `reset`.
  std::string_view head() const { return head_; }
  /// As many whole lines of `head()` as fit into `kept_head_bytes_max`: what is stored.
  std::string_view kept_head() const;
  /// The trimmed value of the first header `name`; empty if absent.
  std::string_view header(std::string_view name) const;
  /// `Keep-Alive: timeout=<seconds>`, if the endpoint says so.
  std::optional<uint32_t> keep_alive_timeout_s() const;
  /// The first `body_bytes_max` bytes of the body, without framing. Valid until `reset`.
  Bytes body() const { return as_bytes(body_); }
  /// Hands over what is there of the body, which then counts no more: for an answer without end.
  std::string take_body();
  /// The body seen so far, also what was not kept.
  uint64_t body_bytes_seen() const { return body_bytes_seen_; }
  /// Whether there is, or should have been, more of the answer than `kept_head()` and `body()`.
  bool truncated() const;

  /// After `failed`, or `on_end` that answered false: Errc::malformed, too_large or closed, whose
  /// `detail` is a BadAnswer, of Side::endpoint, or the error given to `on_end`.
  const Error& error() const { return error_; }
  /// Likewise, if the final answer's head could not be read: the first bytes of what stood there,
  /// as many as had come. They may be anything. Valid until `reset`.
  std::string_view refused_head() const { return refused_head_; }

 private:
  enum class State : uint8_t { head, body, enough, complete, failed };

  /// What a head says about where its body ends.
  struct Framing {
    std::optional<uint64_t> length;
    bool lengths_clash = false;  ///< One that is no number, or two that differ.
    uint8_t chunked = 0;         ///< How often this coding is named.
    bool chunked_last = false;
    bool other_coding = false;
    bool line_lost = false;  ///< A line that cannot be read: it might have said something.

    bool has_coding() const { return chunked > 0 || other_coding; }
  };

  Progress feed_head(Bytes bytes);
  Progress feed_body(Bytes bytes);
  Progress end_of_head(Bytes rest);
  Progress end_of_interim(Bytes rest);
  Progress on_head_fault();
  Progress complete(Bytes rest);
  Progress enough(std::optional<BadAnswer> fault);
  bool read_status_line(std::string_view line);
  void read_header_line(std::string_view line);
  void read_length(std::string_view value);
  void read_coding(std::string_view value);
  bool untidy() const;
  BadAnswer untidy_reason() const;
  void read_tidied_head();
  bool decide_framing(BodyFraming& framing);
  Progress fail(BadAnswer reason);
  bool refuse(BadAnswer reason);
  void note(BadAnswer fault);
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
  std::optional<BadAnswer> fault_before_;
  Framing framing_;

  // Of the final answer.
  uint16_t status_ = 0;
  bool keep_alive_ = false;
  bool boundary_certain_ = false;
  bool surplus_ = false;
  uint32_t interim_ = 0;
  std::optional<BadAnswer> fault_;  ///< Of interim answers, too.
  uint64_t body_bytes_seen_ = 0;
  std::string head_;
  std::string body_;
  Error error_{Errc::malformed, Side::endpoint};
  std::string refused_head_;
};

}  // namespace ringpost::http
