#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost {

/// What went wrong. One list for the whole product; each code says what a caller may do about it.
enum class Errc : uint8_t {
  refused,              ///< The peer refused the connection, or nothing listens there.
  unreachable,          ///< No route to the peer.
  reset,                ///< The peer broke the connection.
  closed,               ///< The peer ended the stream before a message was whole.
  timed_out,            ///< A deadline passed.
  cancelled,            ///< We took the operation back.
  overloaded,           ///< A limit of ours is reached; try again later.
  malformed,            ///< Bytes from outside break the rules of their format; see BadAnswer.
  too_large,            ///< Within the format's rules, beyond a limit of ours; see BadAnswer.
  out_of_space,         ///< The disk, or a reserve on it, is full.
  corrupt,              ///< Stored bytes fail their checksum.
  io_failed,            ///< The disk or a system call failed; `detail` is errno.
  not_found,            ///< No such thing.
  conflict,             ///< It exists already, or its state forbids the change.
  locked,               ///< Another process owns it.
  unauthenticated,      ///< No credentials, or wrong ones.
  not_permitted,        ///< Credentials without the needed scope.
  destination_denied,   ///< The egress policy forbids the address.
  name_unresolved,      ///< The name has no address, or the name servers failed.
  tls_failed,           ///< The handshake or a record failed; `detail` is the library's reason.
  certificate_invalid,  ///< The peer's certificate does not verify; `detail` is an X509_V_ERR_*.
  bad_status,           ///< The answer's status means failure; `detail` is the status.
  unsupported,          ///< The kernel, file system or peer lacks what we need.
  not_renderable,       ///< The event gives no valid request; `detail` is an Unrenderable.
  origin_refused,       ///< The receiver does not let us send; `detail` is its answer's status.
  name_timed_out,       ///< The name servers did not answer in time.
};

/// Why an event gives no request for a webhook: the `detail` of Errc::not_renderable.
enum class Unrenderable : int32_t {
  header_value = 1,  ///< A header's value would hold a line break or NUL.
  target_path,       ///< The URL's path would hold a `.` or `..` segment.
  target_bytes,      ///< The URL would be too long.
  body_bytes,        ///< The body would be too large.
  data_object,       ///< The event's data is no JSON object.
  head_bytes,        ///< The headers would be too large.
  sends_nothing,     ///< The webhook takes calls and has nowhere to send to.
  body_form,         ///< The body would not be what its Content-Type says.
  no_state,          ///< Its data does not say what state a build is in.
  no_commit,         ///< It names no commit by its whole id.
  no_repository,     ///< It names no repository that the git host can have.
};

/// Why we took something back: the `detail` of Errc::cancelled; 0: nothing is known.
enum class Withdrawal : int32_t {
  superseded = 1,  ///< A newer event says more about the same.
};

/// What is wrong with a receiver's answer: the `detail` of Errc::malformed, Errc::too_large and
/// Errc::closed where an answer was read, and the note of an attempt that counts by its status all
/// the same. Journals keep the numbers in one byte: new ones go to the end.
enum class BadAnswer : int32_t {
  binary = 1,         ///< The first byte is a control byte: TLS, for example.
  status_line_bytes,  ///< The status line is too long.
  header_line_bytes,  ///< A header line is too long.
  header_count,       ///< Too many header lines.
  header_bytes,       ///< The headers together are too large.
  bare_line_feed,     ///< A line ends with LF alone.
  control_byte,       ///< A line holds a control byte.
  leading_space,      ///< A line begins with white space.
  no_status_line,     ///< An empty line stands in its place.
  http_version,       ///< The first line does not begin with HTTP/1.1 or HTTP/1.0.
  status_digits,      ///< The status is not three digits.
  status_range,       ///< The status is not 100 to 599.
  header_form,        ///< A header line is not a name, a colon and a value.
  framing_tab,        ///< A header that delimits the body holds a tab.
  length_twice,       ///< More than one Content-Length.
  length_form,        ///< Content-Length is not one decimal number.
  coding_twice,       ///< More than one Transfer-Encoding.
  coding_unknown,     ///< A Transfer-Encoding other than chunked.
  coding_http_1_0,    ///< A Transfer-Encoding in HTTP/1.0.
  length_and_coding,  ///< Content-Length and Transfer-Encoding.
  upgrade,            ///< 101, which nobody asked for.
  interim_body,       ///< A 1xx answer announces a body.
  interim_count,      ///< Too many 1xx answers.
  chunk_size,         ///< A chunk's size is not 1 to 16 hexadecimal digits.
  chunk_extension,    ///< Chunk extensions are malformed or too long.
  chunk_end,          ///< A chunk does not end where its size says.
  trailer,            ///< The trailer is malformed, or has a field that belongs in the head.
  trailer_bytes,      ///< The trailer is too large.
  no_answer,          ///< The connection was closed before a byte of an answer.
  head_cut,           ///< The connection was closed within the head.
  body_cut,    ///< The connection was closed within the body, or TLS without its close notice.
  body_reset,  ///< The connection broke within the body.
  body_late,   ///< The deadline passed within the body.
  surplus,     ///< Bytes came behind the end of the answer.
  early,       ///< It came before the receiver had the whole request.
  distrusted,  ///< Seen before at this receiver: surplus, or an answer that came early.
};
/// For people: what `reason` means. The number may come from a file.
std::string_view describe(BadAnswer reason);

/// Who failed: whom a log line blames.
enum class Side : uint8_t { producer, endpoint, disk, operator_, self };

/// A failure as a small value. `detail` is errno, a TLS reason or an HTTP status, as `code` says.
struct Error {
  Errc code;
  Side side = Side::self;
  int32_t detail = 0;

  friend bool operator==(const Error&, const Error&) = default;
};

/// The stable name of a code (`timed_out`), as it appears in API answers, metrics and logs.
std::string_view name(Errc code);
std::string_view name(Side side);

/// For people: what happened, with the detail spelled out ("connection refused (ECONNREFUSED)").
std::string describe(const Error& error);

/// Whether another attempt of the same delivery may succeed. Attempts may be repeated although they
/// are POSTs, because their delivery id stays the same for the receiver to recognise.
bool retryable(Errc code);

/// Maps errno to a code, once, at the edge. `side` says whose call it was.
Error error_from_errno(int errno_value, Side side);

}  // namespace ringpost
