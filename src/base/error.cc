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
    case Errc::name_timed_out: return "name_timed_out";
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
    case Errc::closed: return "connection closed before the message was complete";
    case Errc::timed_out: return "timed out";
    case Errc::cancelled: return "cancelled";
    case Errc::overloaded: return "a limit of this relay is reached";
    case Errc::malformed: return "malformed message";
    case Errc::too_large: return "too large";
    case Errc::out_of_space: return "no space left";
    case Errc::corrupt: return "stored bytes do not match their checksum";
    case Errc::io_failed: return "input/output error";
    case Errc::not_found: return "not found";
    case Errc::conflict: return "conflict";
    case Errc::locked: return "locked by another process";
    case Errc::unauthenticated: return "not authenticated";
    case Errc::not_permitted: return "not permitted";
    case Errc::destination_denied: return "destination not allowed by the egress policy";
    case Errc::name_unresolved: return "the host name does not resolve";
    case Errc::tls_failed: return "TLS failed";
    case Errc::certificate_invalid: return "the certificate does not verify";
    case Errc::bad_status: return "the receiver answered with an error status";
    case Errc::unsupported: return "not supported";
    case Errc::not_renderable: return "no valid request can be made from the event";
    case Errc::origin_refused:
      return "the receiver does not permit deliveries: it has to answer OPTIONS with a 2xx status "
             "and the header WebHook-Allowed-Origin, which holds * or the origin asked for";
    case Errc::name_timed_out:
      return "the name servers did not answer in time when they were asked for the addresses of "
             "the "
             "host name";
  }
  RINGPOST_UNREACHABLE();
}

/// What errno says better than the code that it was mapped to; empty: nothing. Of limits it names
/// the one to raise.
std::string_view sentence_of_errno(int errno_value) {
  switch (errno_value) {
    case EACCES:
    case EPERM: return "permission denied";
    case EDQUOT: return "the disk quota is used up";
    case EFBIG: return "the file would be larger than allowed (ulimit -f, systemd LimitFSIZE=)";
    case EMFILE: return "this process has too many open files (ulimit -n, systemd LimitNOFILE=)";
    case ENFILE: return "the whole system has too many open files (sysctl fs.file-max)";
    case ENOBUFS: return "the system has no memory for network buffers";
    case ENOMEM: return "out of memory";
    case ENOSPC: return "no space left on the disk";
    case EIO: return "the device failed";
    case EROFS: return "the file system is read-only";
    case ENOTDIR: return "a part of the path is not a directory";
    case EISDIR: return "it is a directory";
    case ELOOP: return "the path leads through too many symbolic links";
    case ENAMETOOLONG: return "the path is too long";
    default: return {};
  }
}

bool carries_errno(Errc code) {
  return code == Errc::io_failed || code == Errc::overloaded || code == Errc::out_of_space ||
         code == Errc::not_permitted;
}

std::string_view describe(Unrenderable reason) {
  switch (reason) {
    case Unrenderable::header_value: return "a header would contain a line break or a NUL byte";
    case Unrenderable::target_path: return "the URL's path would contain a segment . or ..";
    case Unrenderable::target_bytes: return "the URL would be too long";
    case Unrenderable::body_bytes: return "the body would be too large";
    case Unrenderable::data_object: return "its data is not a JSON object";
    case Unrenderable::head_bytes: return "the request's headers would be too large";
    case Unrenderable::sends_nothing: return "this is an incoming hook, which sends nothing";
    case Unrenderable::body_form: return "the body would not match its Content-Type";
    case Unrenderable::no_state: return "its data does not say what state a build is in";
    case Unrenderable::no_commit:
      return "it names no commit by its whole id (40 or 64 hexadecimal digits); an attribute "
             "gitcommit, or settings.commit of the webhook, can name it";
    case Unrenderable::no_repository:
      return "it names no repository as the git host does (for example acme/shop); an attribute "
             "gitrepository, or settings.repository of the webhook, can name it";
  }
  return "unknown reason";  // The number may come from a file.
}

}  // namespace

std::string_view describe(BadAnswer reason) {
  switch (reason) {
    case BadAnswer::binary: return "the answer is not HTTP (does this port expect https?)";
    case BadAnswer::status_line_bytes: return "the answer's status line is too long";
    case BadAnswer::header_line_bytes: return "a header line of the answer is too long";
    case BadAnswer::header_count: return "the answer has too many header lines";
    case BadAnswer::header_bytes: return "the answer's headers together are too large";
    case BadAnswer::bare_line_feed:
      return "a line of the answer ends with LF alone; it has to be CR LF";
    case BadAnswer::control_byte: return "a line of the answer's head contains a control character";
    case BadAnswer::leading_space: return "a line of the answer's head begins with white space";
    case BadAnswer::no_status_line:
      return "the answer has an empty line where its status line should be";
    case BadAnswer::http_version: return "the answer does not begin with HTTP/1.1 or HTTP/1.0";
    case BadAnswer::status_digits: return "the answer's status is not three digits";
    case BadAnswer::status_range: return "the answer's status is not 100 to 599";
    case BadAnswer::header_form:
      return "a header line of the answer is not a name, a colon and a value";
    case BadAnswer::framing_tab:
      return "Content-Length or Transfer-Encoding of the answer contains a tab";
    case BadAnswer::length_twice: return "the answer has more than one Content-Length";
    case BadAnswer::length_form: return "the answer's Content-Length is not one decimal number";
    case BadAnswer::coding_twice: return "the answer has more than one Transfer-Encoding";
    case BadAnswer::coding_unknown:
      return "the answer's Transfer-Encoding is not chunked, the only one supported";
    case BadAnswer::coding_http_1_0: return "the answer is HTTP/1.0 with a Transfer-Encoding";
    case BadAnswer::length_and_coding:
      return "the answer has both Content-Length and Transfer-Encoding";
    case BadAnswer::upgrade: return "the answer is 101, an upgrade that nobody asked for";
    case BadAnswer::interim_body: return "an interim answer (1xx) announces a body";
    case BadAnswer::interim_count: return "there are too many interim answers (1xx)";
    case BadAnswer::chunk_size:
      return "a chunk size in the answer's body is not 1 to 16 hexadecimal digits";
    case BadAnswer::chunk_extension:
      return "chunk extensions in the answer's body are malformed or too long";
    case BadAnswer::chunk_end:
      return "a chunk of the answer's body does not end with CR LF after as many bytes as its size "
             "says";
    case BadAnswer::trailer:
      return "the answer's trailer is malformed or contains a field that is allowed only in the "
             "head";
    case BadAnswer::trailer_bytes: return "the answer's trailer is too large";
    case BadAnswer::no_answer: return "the receiver closed the connection without an answer";
    case BadAnswer::head_cut:
      return "the receiver closed the connection before the head of its answer was complete";
    case BadAnswer::body_cut: return "the answer's body was cut short";
    case BadAnswer::body_reset: return "the connection broke before the answer's body was complete";
    case BadAnswer::body_late: return "the answer's body was not complete when the time was up";
    case BadAnswer::surplus: return "more bytes came after the end of the answer";
    case BadAnswer::early: return "the receiver answered before it had received the whole request";
    case BadAnswer::distrusted:
      return "each attempt gets a new connection, because this receiver once sent bytes after "
             "the end of an answer, or answered before it had received the whole request";
  }
  return "unknown reason";  // The number may come from a file.
}

std::string describe(const Error& error) {
  const auto better = carries_errno(error.code) ? sentence_of_errno(error.detail) : "";
  std::string text{better.empty() ? sentence(error.code) : better};
  if (error.detail == 0) return text;
  switch (error.code) {
    case Errc::closed: return std::string{describe(static_cast<BadAnswer>(error.detail))};
    case Errc::bad_status: return "HTTP status " + std::to_string(error.detail);
    case Errc::origin_refused: return text + " (it answered " + std::to_string(error.detail) + ")";
    case Errc::not_renderable:
      return text + ": " + std::string{describe(static_cast<Unrenderable>(error.detail))};
    case Errc::cancelled: return text + ": a newer event about the same took its place";
    case Errc::malformed:
    case Errc::too_large:
      return text + ": " + std::string{describe(static_cast<BadAnswer>(error.detail))};
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
    case Errc::name_timed_out:
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
