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
  malformed,            ///< Bytes from outside break the rules of their format.
  too_large,            ///< Within the format's rules, beyond a limit of ours.
  out_of_space,         ///< The disk, or a reserve on it, is full.
  corrupt,              ///< Stored bytes fail their checksum.
  io_failed,            ///< The disk or a system call failed; `detail` is errno.
  not_found,            ///< No such thing.
  conflict,             ///< It exists already, or its state forbids the change.
  locked,               ///< Another process owns it.
  unauthenticated,      ///< No credentials, or wrong ones.
  not_permitted,        ///< Credentials without the needed scope.
  destination_denied,   ///< The egress policy forbids the address.
  name_unresolved,      ///< The name has no address, or the name servers did not answer.
  tls_failed,           ///< The handshake or a record failed; `detail` is the library's reason.
  certificate_invalid,  ///< The peer's certificate does not verify; `detail` is an X509_V_ERR_*.
  bad_status,           ///< The answer's status means failure; `detail` is the status.
  unsupported,          ///< The kernel, file system or peer lacks what we need.
  not_renderable,       ///< The event gives no valid request; `detail` is an Unrenderable.
  origin_refused,       ///< The receiver does not let us send; `detail` is its answer's status.
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
};

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
