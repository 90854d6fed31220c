#include "ringpost/error.h"

#include "base/assert.h"

#include <cerrno>
#include <cstring>

namespace ringpost {

std::string_view name(Errc code) {
  switch (code) {  // No default: a new code has to get a name, or the build warns.
    case Errc::refused: return "refused";
    case Errc::unreachable: return "unreachable";
    case Errc::reset: return "reset";
    case Errc::closed: return "closed";
    case Errc::timed_out: return "timed_out";
    case Errc::cancelled: return "cancelled";
    case Errc::overloaded: return "overloaded";
    case Errc::malformed: return "malformed";
    case Errc::too_large: return "too_large";
    case Errc::out_of_space: return "out_of_space";
    case Errc::corrupt: return "corrupt";
    case Errc::io_failed: return "io_failed";
    case Errc::not_found: return "not_found";
    case Errc::conflict: return "conflict";
    case Errc::locked: return "locked";
    case Errc::unauthenticated: return "unauthenticated";
    case Errc::not_permitted: return "not_permitted";
    case Errc::destination_denied: return "destination_denied";
    case Errc::name_unresolved: return "name_unresolved";
    case Errc::tls_failed: return "tls_failed";
    case Errc::certificate_invalid: return "certificate_invalid";
    case Errc::bad_status: return "bad_status";
    case Errc::unsupported: return "unsupported";
    case Errc::not_renderable: return "not_renderable";
    case Errc::origin_refused: return "origin_refused";
  }
  RINGPOST_UNREACHABLE();
}

std::string_view name(Side side) {
  switch (side) {
    case Side::producer: return "producer";
    case Side::endpoint: return "endpoint";
    case Side::disk: return "disk";
    case Side::operator_: return "operator";
    case Side::self: return "self";
  }
  RINGPOST_UNREACHABLE();
}

namespace {

std::string_view sentence(Errc code) {
  switch (code) {
    case Errc::refused: return "connection refused";
    case Errc::unreachable: return "no route to the host";
    case Errc::reset: return "connection reset by the peer";
    case Errc::closed: return "connection closed before the message was whole";
    case Errc::timed_out: return "deadline passed";
    case Errc::cancelled: return "cancelled";
    case Errc::overloaded: return "a limit of the relay is reached";
    case Errc::malformed: return "malformed message";
    case Errc::too_large: return "too large";
    case Errc::out_of_space: return "no space left";
    case Errc::corrupt: return "stored bytes fail their checksum";
    case Errc::io_failed: return "input/output failed";
    case Errc::not_found: return "not found";
    case Errc::conflict: return "conflict";
    case Errc::locked: return "locked by another process";
    case Errc::unauthenticated: return "not authenticated";
    case Errc::not_permitted: return "not permitted";
    case Errc::destination_denied: return "destination not allowed by the egress policy";
    case Errc::name_unresolved: return "the host name does not resolve";
    case Errc::tls_failed: return "TLS failed";
    case Errc::certificate_invalid: return "the certificate does not verify";
    case Errc::bad_status: return "the answer's status means failure";
    case Errc::unsupported: return "not supported";
    case Errc::not_renderable: return "the event gives no valid request";
    case Errc::origin_refused:
      return "the receiver does not permit deliveries: its answer to OPTIONS has no "
             "WebHook-Allowed-Origin with * or the origin asked for";
  }
  RINGPOST_UNREACHABLE();
}

std::string_view describe(Unrenderable reason) {
  switch (reason) {
    case Unrenderable::header_value: return "a header would hold a line break or NUL";
    case Unrenderable::target_path: return "the URL's path would hold a dot segment";
    case Unrenderable::target_bytes: return "the URL would be too long";
    case Unrenderable::body_bytes: return "the body would be too large";
    case Unrenderable::data_object: return "its data is no JSON object";
    case Unrenderable::head_bytes: return "its headers would be too large";
    case Unrenderable::sends_nothing: return "the webhook takes calls and sends nothing";
  }
  return "for a reason that this version does not know";  // The number may come from a file.
}

}  // namespace

std::string describe(const Error& error) {
  const bool denied =
      error.code == Errc::io_failed && (error.detail == EACCES || error.detail == EPERM);
  std::string text{denied ? "permission denied" : sentence(error.code)};
  if (error.detail == 0) return text;
  switch (error.code) {
    case Errc::bad_status:
    case Errc::origin_refused: return text + " (" + std::to_string(error.detail) + ")";
    case Errc::not_renderable:
      return text + ": " + std::string{describe(static_cast<Unrenderable>(error.detail))};
    case Errc::tls_failed:
    case Errc::certificate_invalid: return text + " (reason " + std::to_string(error.detail) + ")";
    default: break;
  }
  const char* symbol = strerrorname_np(error.detail);
  return text + " (" + (symbol != nullptr ? symbol : std::to_string(error.detail)) + ")";
}

bool retryable(Errc code) {
  switch (code) {
    case Errc::refused:
    case Errc::unreachable:
    case Errc::reset:
    case Errc::closed:
    case Errc::timed_out:
    case Errc::overloaded:
    case Errc::malformed:
    case Errc::too_large:
    case Errc::out_of_space:
    case Errc::io_failed:
    case Errc::destination_denied:  // The policy or the name's addresses may change in between.
    case Errc::name_unresolved:
    case Errc::tls_failed:
    case Errc::certificate_invalid:
    case Errc::bad_status:
    case Errc::origin_refused: return true;  // Permission may be granted in between.
    case Errc::cancelled:
    case Errc::corrupt:
    case Errc::not_found:
    case Errc::conflict:
    case Errc::locked:
    case Errc::unauthenticated:
    case Errc::not_permitted:
    case Errc::unsupported:
    case Errc::not_renderable: return false;
  }
  RINGPOST_UNREACHABLE();
}

Error error_from_errno(int errno_value, Side side) {
  switch (errno_value) {
    case ECONNREFUSED:
    case ENOENT:
      return {errno_value == ENOENT ? Errc::not_found : Errc::refused, side, errno_value};
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN: return {Errc::unreachable, side, errno_value};
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED: return {Errc::reset, side, errno_value};
    case ETIMEDOUT: return {Errc::timed_out, side, errno_value};
    case ECANCELED: return {Errc::cancelled, side, errno_value};
    case ENOSPC:
    case EDQUOT: return {Errc::out_of_space, Side::disk, errno_value};
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN: return {Errc::overloaded, Side::self, errno_value};
    default: return {Errc::io_failed, side, errno_value};
  }
}

}  // namespace ringpost
