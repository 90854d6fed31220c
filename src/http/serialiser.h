#pragma once

#include "base/clock.h"
#include "http/message.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ringpost::http {

/// What of the request shapes its answer besides the Response.
struct ResponseForm {
  bool http_1_0 = false;   ///< The client speaks HTTP/1.0: keeping the connection has to be said.
  bool head_only = false;  ///< The answer to HEAD: every header, no body.
};

/// Appends a whole answer to `out`: status line, Date, Content-Length, Content-Type (if there is a
/// body), `X-Content-Type-Options: nosniff`, `Cache-Control: no-store` unless the response brings
/// its own, Connection where it is not the default, the response's headers, the body. 204 and 304
/// have neither length nor body.
///
/// The response's headers are ours, never a peer's bytes as they came: they are asserted to hold no
/// byte that could end a line, and none of those above but Cache-Control.
void append_response(std::string& out, const Response& response, bool keep_alive, WallTime now,
                     ResponseForm form = {});

/// Appends the head of an answer whose body comes in pieces and ends nobody knows when: as
/// `append_response` does, without Content-Length. HTTP/1.1 gets `Transfer-Encoding: chunked`, and
/// each piece by `append_chunk`; to HTTP/1.0 the pieces go as they are, and the connection's end is
/// the body's (RFC 9112, 6.1 and 6.3), so that `keep_alive` must be false. There is always a
/// Content-Type. `response.body` has to be empty.
void append_stream_head(std::string& out, const Response& response, bool keep_alive, WallTime now,
                        ResponseForm form = {});
/// Appends one chunk (RFC 9112, 7.1). @param piece  not empty: an empty chunk is the last one.
void append_chunk(std::string& out, std::string_view piece);
/// Ends a body in chunks; without trailers.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

/// The first lines of a request of ours. Borrows.
struct RequestHead {
  std::string_view method;     ///< A token.
  std::string_view target;     ///< Origin form: Url::target.
  std::string_view authority;  ///< Url::authority().
  uint64_t body_bytes = 0;
  bool keep_alive = true;
};

/// Appends a request's head with `headers`, Host, Content-Length (also 0, but not for a GET or HEAD
/// without a body), Connection if it is to be closed, and the blank line. Asserts that nothing in
/// it could end a line early and that `headers` name none of the headers written here.
void append_request_head(std::string& out, const RequestHead& head,
                         std::span<const Header> headers);

/// Appends `name: value` CR LF; asserts that both are valid.
void append_header(std::string& out, std::string_view name, std::string_view value);

/// Whether `name` may name a header: a token of at most 256 bytes.
bool valid_header_name(std::string_view name);
/// Whether `value` may be a header's value: at most 8 KiB of visible ASCII, SP, HTAB and bytes from
/// 0x80, without white space at its ends (a reader would not see it).
bool valid_header_value(std::string_view value);
/// Whether a user must not set the header `name` on deliveries (reliability S-7): the relay writes
/// it, or it frames the message, or it means something between two neighbours only.
bool reserved_request_header(std::string_view name);

/// The status's reason phrase, as RFC 9110 has it; "Unknown" for a status that none of ours is.
std::string_view reason_phrase(uint16_t status);

}  // namespace ringpost::http
