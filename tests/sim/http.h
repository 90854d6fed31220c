#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::sim {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// A request or a response of HTTP/1.1, as it was on the wire.
struct HttpMessage {
  std::string start_line;
  HttpHeaders headers;  ///< Names as they came; values without the white space around them.
  std::string body;     ///< Chunks joined.

  /// The value of the first header of that name (in any case), or empty.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
  /// Of a request: method and target; of a response: the status, or 0.
  std::string_view method() const;
  std::string_view target() const;
  int status() const;
};

/// Reads HTTP/1.1 messages out of a stream, by a second reading of RFC 9112 that shares no line
/// with src/http. Small and strict: line ends are CRLF, lengths are digits, no obsolete folding.
class HttpReader {
 public:
  enum class Kind : uint8_t { request, response };
  explicit HttpReader(Kind kind) : kind_(kind) {}

  void push(std::string_view bytes) { buffer_ += bytes; }
  /// The stream ended: a response without length is whole now.
  void end_of_stream() { stream_ended_ = true; }
  /// The next whole message, if it is there. Interim responses (1xx) are passed over.
  std::optional<HttpMessage> next();
  /// The bytes are not HTTP; `next` finds nothing any more.
  bool broken() const { return broken_; }
  /// Bytes of an unfinished message are held.
  bool midway() const { return !buffer_.empty(); }

 private:
  std::optional<HttpMessage> fail();
  bool parse_head(std::string_view head, HttpMessage& message);
  /// Where the body that begins at `begin` ends in the buffer, or nothing yet.
  std::optional<size_t> read_body(HttpMessage& message, size_t begin);
  std::optional<size_t> read_chunks(HttpMessage& message, size_t begin);

  Kind kind_;
  std::string buffer_;
  bool stream_ended_ = false;
  bool broken_ = false;
};

/// The bytes of a message: the start line, the headers, `Content-Length`, the body.
std::string http_bytes(std::string_view start_line, const HttpHeaders& headers,
                       std::string_view body);

bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace ringpost::sim
