#include "http/request_parser.h"

#include "base/assert.h"
#include "http/serialiser.h"
#include "http/syntax.h"
#include "http/target.h"

#include <llhttp.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace ringpost::http {
namespace {

// --- llhttp over one whole head ------------------------------------------------------------------

/// What llhttp tells about a head. It sees only whole heads, so it has no state between packets.
struct HeadSink {
  std::vector<Header>& headers;
  bool name_ended = true;
};

HeadSink& sink(llhttp_t* parser) {
  return *static_cast<HeadSink*>(parser->data);
}

int on_header_name(llhttp_t* parser, const char* at, size_t size) {
  HeadSink& to = sink(parser);
  if (std::exchange(to.name_ended, false)) to.headers.emplace_back();
  to.headers.back().name.append(at, size);
  return HPE_OK;
}

int on_header_name_end(llhttp_t* parser) {
  sink(parser).name_ended = true;
  return HPE_OK;
}

int on_header_value(llhttp_t* parser, const char* at, size_t size) {
  HeadSink& to = sink(parser);
  if (!to.name_ended || to.headers.empty()) return HPE_USER;
  to.headers.back().value.append(at, size);
  return HPE_OK;
}

const llhttp_settings_t& head_settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_header_field = on_header_name;
    made.on_header_field_complete = on_header_name_end;
    made.on_header_value = on_header_value;
    made.on_headers_complete = [](llhttp_t*) -> int { return HPE_PAUSED; };
    return made;
  }();
  return settings;
}

/// Those of RFC 9110 and RFC 5789, without CONNECT, which is for proxies. That one is known does
/// not mean that anything takes it: 405 then, and 501 for others.
constexpr std::array<std::string_view, 8> methods{"GET",   "HEAD",   "POST",    "PUT",
                                                  "PATCH", "DELETE", "OPTIONS", "TRACE"};

/// RFC 9112, 2.3: `HTTP/` DIGIT `.` DIGIT; more digits still mean a version, only none we speak.
bool looks_like_version(std::string_view text) {
  if (!text.starts_with("HTTP/")) return false;
  text.remove_prefix(5);
  const size_t dot = text.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == text.size()) return false;
  for (size_t at = 0; at < text.size(); ++at) {
    if (at != dot && !is_digit(text[at])) return false;
  }
  return true;
}

// --- Host ----------------------------------------------------------------------------------------

bool valid_port(std::string_view text) {
  if (text.empty()) return true;
  const auto port = parse_decimal(text);
  return port && *port <= std::numeric_limits<uint16_t>::max() && text.size() <= 5;
}

/// RFC 9110, 7.2: `uri-host [":" port]`. Narrower than RFC 3986's reg-name, which allows commas and
/// the like: those are only ever the join of two hosts.
bool valid_host(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char byte : host.substr(1, end - 1)) {
      if (!hex_value(byte) && byte != ':' && byte != '.') return false;
    }
    const std::string_view rest = host.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && valid_port(rest.substr(1)));
  }
  const size_t colon = host.find(':');
  const std::string_view name = host.substr(0, colon);
  if (name.empty()) return false;
  for (const char byte : name) {
    const char lower = to_lower(byte);
    const bool ordinary = is_digit(byte) || (lower >= 'a' && lower <= 'z');
    if (!ordinary && byte != '-' && byte != '.' && byte != '_' && byte != '~') return false;
  }
  return colon == std::string_view::npos || valid_port(host.substr(colon + 1));
}

}  // namespace

RequestParser::RequestParser(const RequestLimits& limits)
    : head_reader_({.first_line_bytes_max = limits.request_line_bytes_max,
                    .line_bytes_max = limits.header_line_bytes_max,
                    .headers_max = limits.headers_max,
                    .header_bytes_max = limits.header_bytes_max},
                   Rules::strict),
      body_reader_(Rules::strict) {}

// --- flow: head ─> head_complete ─> body ─> complete ─> head -------------------------------------

RequestParser::Progress RequestParser::feed(Bytes bytes, size_t& consumed) {
  switch (state_) {
    case State::head: return feed_head(bytes, consumed);
    case State::body: return feed_body(bytes, consumed);
    case State::head_complete:
    case State::complete:
    case State::failed: break;
  }
  RINGPOST_UNREACHABLE();
}

RequestParser::Progress RequestParser::feed_head(Bytes bytes, size_t& consumed) {
  head_reader_.begin_piece(bytes);
  while (true) {
    switch (head_reader_.next()) {
      case HeadReader::Progress::need_more:
        consumed = head_reader_.consumed();
        return Progress::need_more;
      case HeadReader::Progress::line:
        if (!read_line(head_reader_.line())) return Progress::failed;
        break;
      case HeadReader::Progress::end:
        consumed = head_reader_.consumed();
        if (!read_head(head_reader_.head())) return Progress::failed;
        head_reader_.reset();
        state_ = State::head_complete;
        return Progress::head_complete;
      case HeadReader::Progress::failed: {
        const HeadFault fault = head_reader_.fault();
        const bool line = fault == HeadFault::first_line_too_long;
        if (line) note_path(head_reader_.cut_first_line());
        if (!line && request_.method.empty()) note_path(head_reader_.line());
        const bool size = fault == HeadFault::line_too_long ||
                          fault == HeadFault::headers_too_many ||
                          fault == HeadFault::headers_too_large;
        refuse(line ? 414 : size ? 431 : 400, describe(fault));
        return Progress::failed;
      }
    }
  }
}

RequestParser::Progress RequestParser::accept_body(uint64_t body_bytes_max) {
  RINGPOST_ASSERT(state_ == State::head_complete);
  body_bytes_max_ = body_bytes_max;
  const uint64_t length = content_length_.value_or(0);
  if (length > body_bytes_max) return too_large();
  if (framing_ == BodyFraming::none) return complete();
  body_reader_.begin(framing_, length);
  // The announced length is a claim: beyond this the body grows with what arrives.
  request_.body.reserve(std::min<uint64_t>(length, 64 * 1024) + body_padding_bytes);
  state_ = State::body;
  return Progress::need_more;
}

RequestParser::Progress RequestParser::feed_body(Bytes bytes, size_t& consumed) {
  consumed = 0;
  while (true) {
    const BodyReader::Piece piece = body_reader_.next(bytes.subspan(consumed));
    consumed += piece.consumed;
    if (piece.progress == BodyReader::Progress::failed) {
      refuse(400, describe(body_reader_.fault()));
      return Progress::failed;
    }
    // A chunk beyond the limit is refused when its size is known, before its data.
    const uint64_t room = body_bytes_max_ - request_.body.size();
    if (piece.data.size() > room || body_reader_.announced_bytes() > room - piece.data.size()) {
      return too_large();
    }
    if (piece.progress == BodyReader::Progress::complete) return complete();
    if (piece.progress == BodyReader::Progress::need_more) return Progress::need_more;
    request_.body.append(as_text(piece.data));
  }
}

RequestParser::Progress RequestParser::complete() {
  request_.body.reserve(request_.body.size() + body_padding_bytes);
  state_ = State::complete;
  return Progress::complete;
}

Request RequestParser::take_request() {
  RINGPOST_ASSERT(state_ == State::complete);
  state_ = State::head;
  framing_ = BodyFraming::none;
  content_length_.reset();
  http_1_0_ = expect_continue_ = false;
  authority_.clear();
  return std::exchange(request_, Request{});
}

// --- the head ------------------------------------------------------------------------------------

bool RequestParser::read_line(std::string_view line) {
  if (head_reader_.first_line()) {
    if (read_request_line(line)) return true;
    note_path(line);
    return false;
  }
  return !is_framing_line_with_tab(line) ||
         refuse(400, "Content-Length or Transfer-Encoding contains a tab");
}

bool RequestParser::read_request_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) {
    return refuse(400, "the request line is not a method, a target and a version");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(second + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    const bool http2 = version.starts_with("HTTP/2");
    if (looks_like_version(version))
      return refuse(
          505, http2
                   ? "this relay speaks HTTP/1.1, not HTTP/2: switch HTTP/2 off in the client, or "
                     "let it begin with HTTP/1.1 (curl: --http1.1)"
                   : "this relay speaks HTTP/1.1 and HTTP/1.0 only");
    return refuse(400, "the request line does not end with an HTTP version");
  }
  http_1_0_ = version == "HTTP/1.0";
  TargetForm form = split_target(line.substr(first + 1, second - first - 1));
  authority_ = form.authority;
  request_.target = std::move(form.origin);
  auto target = parse_target(request_.target);
  const auto* problem = std::get_if<TargetProblem>(&target);
  // RFC 9110, 9.1: a method is a token, and case counts; 501 for one that is not known.
  if (std::ranges::find(methods, method) == methods.end()) {
    return refuse(is_token(method) ? 501 : 400, "the request method is not known");
  }
  if (problem != nullptr) return refuse(400, problem->reason);
  request_.path = std::move(std::get<Target>(target).path);
  request_.query = std::move(std::get<Target>(target).query);
  request_.method = method;
  return true;
}

/// Whose API a refused request was meant for shows in the first segments of its path; so it is
/// noted of a line that is cut or wrong as well, as it is spelled where it cannot be decoded.
void RequestParser::note_path(std::string_view line) {
  const size_t first = line.find(' ');
  if (first == std::string_view::npos) return;
  const std::string_view rest = line.substr(first + 1);
  std::string origin = split_target(rest.substr(0, rest.find_first_of("? "))).origin;
  auto target = parse_target(origin);
  auto* found = std::get_if<Target>(&target);
  request_.path = found != nullptr ? std::move(found->path) : std::move(origin);
}

bool RequestParser::read_head(std::string_view head) {
  HeadSink to{request_.headers};
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &head_settings());
  parser.data = &to;
  request_.headers.reserve(head_reader_.headers());
  if (llhttp_execute(&parser, head.data(), head.size()) != HPE_PAUSED) {
    const char* reason = llhttp_get_error_reason(&parser);
    return refuse(400, reason != nullptr ? reason : "the head is malformed");
  }
  // Two readers, one reading: llhttp and ours see the same method and the same number of headers.
  const auto method = static_cast<llhttp_method_t>(llhttp_get_method(&parser));
  if (request_.method != llhttp_method_name(method) ||
      request_.headers.size() != head_reader_.headers()) {
    return refuse(400, "the request head is ambiguous");
  }
  for (Header& header : request_.headers) {
    // Built without its strict mode, llhttp lets a space into a name.
    if (!is_token(header.name)) return refuse(400, "a header name is not a token");
    while (!header.value.empty() && (header.value.back() == ' ' || header.value.back() == '\t')) {
      header.value.pop_back();
    }
  }
  return read_host() && read_framing() && read_connection() && read_expectation();
}

/// RFC 9112, 3.2: exactly one Host in HTTP/1.1. A target in absolute form has to name the same: by
/// 3.2.2 it would win, and whoever stands before us may have gone by the Host.
bool RequestParser::read_host() {
  size_t count = 0;
  for (const Header& header : request_.headers) {
    if (!equal_ignoring_case(header.name, "host")) continue;
    if (++count > 1) return refuse(400, "there is more than one Host header");
    if (!valid_host(header.value)) return refuse(400, "the Host header is not one host name");
    if (!authority_.empty() && !equal_ignoring_case(header.value, authority_)) {
      return refuse(400, "the request target names another host than the Host header");
    }
  }
  if (count == 0 && (!http_1_0_ || !authority_.empty()))
    return refuse(400, "the Host header is missing");
  return true;
}

namespace {

/// Whether `codings` is a list of transfer codings (RFC 9112, 7) with one that is not known here:
/// 501 then (6.1). Not if something follows `chunked`: that is an error of its own (6.3).
bool names_unknown_coding(std::string_view codings) {
  bool well_formed = true;
  bool unknown = false;
  bool chunked = false;
  for_each_list_member(codings, [&](std::string_view coding) {
    const std::string_view name = trim(coding.substr(0, coding.find(';')));
    well_formed = well_formed && is_token(name) && !chunked;
    chunked = equal_ignoring_case(name, "chunked");
    unknown = unknown || !chunked;
  });
  return well_formed && unknown;
}

}  // namespace

/// RFC 9112, 6.3, without its tolerances: one Content-Length of digits or one `chunked`, never
/// both. "ought to be handled as an error": we answer 400.
bool RequestParser::read_framing() {
  std::optional<std::string_view> length;
  std::optional<std::string_view> coding;
  for (const Header& header : request_.headers) {
    const bool is_length = equal_ignoring_case(header.name, "content-length");
    if (!is_length && !equal_ignoring_case(header.name, "transfer-encoding")) continue;
    std::optional<std::string_view>& seen = is_length ? length : coding;
    if (seen) return refuse(400, "Content-Length or Transfer-Encoding appears more than once");
    seen = header.value;
  }
  if (coding) {
    if (length) return refuse(400, "Content-Length and Transfer-Encoding cannot be combined");
    if (http_1_0_) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    if (!equal_ignoring_case(*coding, "chunked")) {
      return refuse(names_unknown_coding(*coding) ? 501 : 400,
                    "the only Transfer-Encoding supported is chunked");
    }
    framing_ = BodyFraming::chunked;
    return true;
  }
  if (!length) return true;
  content_length_ = parse_decimal(*length);
  if (!content_length_) return refuse(400, "Content-Length is not one decimal number");
  if (*content_length_ > 0) framing_ = BodyFraming::length;
  return true;
}

/// RFC 9112, 9.3.
bool RequestParser::read_connection() {
  bool close = false;
  bool keep_alive = false;
  bool tokens = true;
  for (const Header& header : request_.headers) {
    if (!equal_ignoring_case(header.name, "connection")) continue;
    for_each_list_member(header.value, [&](std::string_view member) {
      if (equal_ignoring_case(member, "close")) close = true;
      if (equal_ignoring_case(member, "keep-alive")) keep_alive = true;
      tokens = tokens && (member.empty() || is_token(member));
    });
  }
  if (!tokens) return refuse(400, "the Connection header is not a list of tokens");
  request_.keep_alive = !close && (keep_alive || !http_1_0_);
  return true;
}

/// RFC 9110, 10.1.1: the one expectation there is; one by HTTP/1.0 is ignored.
bool RequestParser::read_expectation() {
  if (http_1_0_) return true;
  size_t count = 0;
  for (const Header& header : request_.headers) {
    if (!equal_ignoring_case(header.name, "expect")) continue;
    if (++count > 1 || !equal_ignoring_case(header.value, "100-continue")) {
      return refuse(417, "the only expectation supported is 100-continue");
    }
  }
  expect_continue_ = count == 1 && has_body();
  return true;
}

// --- refusals ------------------------------------------------------------------------------------

RequestParser::Progress RequestParser::too_large() {
  refuse(413, "the body is larger than this resource accepts");
  return Progress::failed;
}

bool RequestParser::refuse(uint16_t status, std::string_view detail) {
  state_ = State::failed;
  error_ = {status, reason_phrase(status), detail};
  return false;
}

}  // namespace ringpost::http
