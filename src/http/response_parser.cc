#include "http/response_parser.h"

#include "base/assert.h"
#include "http/syntax.h"

#include <algorithm>
#include <limits>

namespace ringpost::http {

ResponseParser::ResponseParser(const ResponseLimits& limits)
    : limits_(limits),
      head_reader_({.first_line_bytes_max = limits.status_line_bytes_max,
                    .line_bytes_max = limits.header_line_bytes_max,
                    .headers_max = limits.headers_max,
                    .header_bytes_max = limits.head_bytes_max},
                   false) {}

// --- flow: head ⟲ (interim) ─> body ─> complete | captured ---------------------------------------

ResponseParser::Progress ResponseParser::feed(Bytes bytes) {
  begun_ = begun_ || !bytes.empty();
  switch (state_) {
    case State::head: return feed_head(bytes);
    case State::body: return feed_body(bytes);
    case State::captured:
    case State::complete:
    case State::failed: break;
  }
  RINGPOST_UNREACHABLE();
}

ResponseParser::Progress ResponseParser::feed_head(Bytes bytes) {
  head_reader_.begin_piece(bytes);
  while (true) {
    switch (head_reader_.next()) {
      case HeadReader::Progress::need_more: return Progress::need_more;
      case HeadReader::Progress::line: {
        const std::string_view line = head_reader_.line();
        const bool good =
            head_reader_.first_line() ? read_status_line(line) : read_header_line(line);
        if (!good) return Progress::failed;
        break;
      }
      case HeadReader::Progress::end: {
        const Bytes rest = bytes.subspan(head_reader_.consumed());
        return status_read_ < 200 ? end_of_interim(rest) : end_of_head(rest);
      }
      case HeadReader::Progress::failed: {
        const HeadFault fault = head_reader_.fault();
        const bool size =
            fault == HeadFault::first_line_too_long || fault == HeadFault::line_too_long ||
            fault == HeadFault::headers_too_many || fault == HeadFault::headers_too_large;
        return fail(size ? Errc::too_large : Errc::malformed, describe(fault));
      }
    }
  }
}

/// RFC 9110, 15.2: a client reads on after interim answers. They have no body.
ResponseParser::Progress ResponseParser::end_of_interim(Bytes rest) {
  if (status_read_ == 101) return fail(Errc::malformed, "an upgrade that nobody asked for");
  if (length_ || has_coding_) return fail(Errc::malformed, "an interim answer announces a body");
  if (++interim_ > limits_.interim_max) return fail(Errc::too_large, "too many interim answers");
  head_reader_.reset();
  begin_head();
  return feed_head(rest);
}

ResponseParser::Progress ResponseParser::end_of_head(Bytes rest) {
  BodyFraming framing = BodyFraming::none;
  uint64_t length = 0;
  if (!decide_framing(framing, length)) return Progress::failed;
  status_ = status_read_;
  head_.assign(head_reader_.head());
  head_reader_.reset();
  keep_alive_ = !says_close_ && (says_keep_alive_ || !http_1_0_);
  body_reader_.begin(framing, length);
  state_ = State::body;
  return feed_body(rest);
}

ResponseParser::Progress ResponseParser::feed_body(Bytes bytes) {
  while (true) {
    const BodyReader::Piece piece = body_reader_.next(bytes);
    bytes = bytes.subspan(piece.consumed);
    switch (piece.progress) {
      case BodyReader::Progress::need_more: return Progress::need_more;
      case BodyReader::Progress::complete: return complete(bytes);
      case BodyReader::Progress::failed:
        return fail(Errc::malformed, describe(body_reader_.fault()));
      case BodyReader::Progress::data: {
        const size_t room = limits_.body_bytes_max - body_.size();
        body_.append(as_text(piece.data.first(std::min(room, piece.data.size()))));
        body_bytes_seen_ += piece.data.size();
        if (piece.data.size() <= room) break;
        state_ = State::captured;
        return Progress::captured;
      }
    }
  }
}

ResponseParser::Progress ResponseParser::complete(Bytes rest) {
  if (!rest.empty()) boundary_certain_ = false;
  state_ = State::complete;
  return Progress::complete;
}

bool ResponseParser::on_eof() {
  RINGPOST_ASSERT(state_ == State::head || state_ == State::body);
  if (state_ == State::body && body_reader_.ends_at_eof()) {
    state_ = State::complete;
    return true;
  }
  fail(Errc::closed, "the stream ended before the answer did");
  return false;
}

void ResponseParser::reset() {
  head_reader_.reset();
  begin_head();
  state_ = State::head;
  begun_ = keep_alive_ = boundary_certain_ = false;
  status_ = 0;
  interim_ = 0;
  body_bytes_seen_ = 0;
  head_.clear();
  body_.clear();
  reason_ = {};
}

void ResponseParser::begin_head() {
  status_read_ = 0;
  http_1_0_ = says_close_ = says_keep_alive_ = has_coding_ = false;
  length_.reset();
}

// --- the head ------------------------------------------------------------------------------------

/// RFC 9112, 4: `HTTP/1.1 SP 3DIGIT SP [reason]`; the second SP is often left out with the reason.
bool ResponseParser::read_status_line(std::string_view line) {
  if (!line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.0 ")) {
    return refuse("the answer does not begin with HTTP/1.1 or HTTP/1.0");
  }
  http_1_0_ = line[7] == '0';
  line.remove_prefix(9);
  const bool three_digits = line.size() >= 3 && is_digit(line[0]) && is_digit(line[1]) &&
                            is_digit(line[2]) && (line.size() == 3 || line[3] == ' ');
  if (!three_digits) return refuse("the status is not three digits");
  status_read_ =
      static_cast<uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
  if (status_read_ < 100 || status_read_ > 599) return refuse("the status is not 100 to 599");
  return true;
}

bool ResponseParser::read_header_line(std::string_view line) {
  const auto field = split_field_line(line);
  if (!field) return refuse("a header line is not a name, a colon and a value");
  const auto [name, value] = *field;
  if (is_framing_line_with_tab(line)) return refuse("a header that delimits the body holds a tab");
  if (equal_ignoring_case(name, "content-length")) {
    if (length_) return refuse("there is more than one Content-Length");
    length_ = parse_decimal(value);
    return length_.has_value() || refuse("Content-Length is not one decimal number");
  }
  if (equal_ignoring_case(name, "transfer-encoding")) {
    if (has_coding_) return refuse("there is more than one Transfer-Encoding");
    has_coding_ = true;
    return equal_ignoring_case(value, "chunked") ||
           refuse("the only Transfer-Encoding understood is chunked");
  }
  if (equal_ignoring_case(name, "connection")) {
    for_each_list_member(value, [this](std::string_view member) {
      says_close_ = says_close_ || equal_ignoring_case(member, "close");
      says_keep_alive_ = says_keep_alive_ || equal_ignoring_case(member, "keep-alive");
    });
  }
  return true;
}

/// RFC 9112, 6.3, for an answer to a POST or GET.
bool ResponseParser::decide_framing(BodyFraming& framing, uint64_t& length) {
  if (length_ && has_coding_) return refuse("Content-Length and Transfer-Encoding stand together");
  if (has_coding_ && http_1_0_) return refuse("HTTP/1.0 has no Transfer-Encoding");
  boundary_certain_ = true;
  if (status_read_ == 204 || status_read_ == 304) {
    // A 304 may tell the length that a 200 would have had. A 204 that announces a body may well
    // send one: no body is read, and the connection is not used again.
    boundary_certain_ = !has_coding_ && (status_read_ == 304 || length_.value_or(0) == 0);
    framing = BodyFraming::none;
  } else if (has_coding_) {
    framing = BodyFraming::chunked;
  } else if (length_) {
    framing = BodyFraming::length;
    length = *length_;
  } else {
    framing = BodyFraming::until_close;
    boundary_certain_ = false;
  }
  return true;
}

std::string_view ResponseParser::header(std::string_view name) const {
  std::string_view rest = head_;
  while (true) {
    const size_t end = rest.find("\r\n");
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 2);
    if (rest.size() <= name.size() || rest[name.size()] != ':') continue;
    if (!equal_ignoring_case(rest.substr(0, name.size()), name)) continue;
    const std::string_view value = rest.substr(name.size() + 1);
    return trim(value.substr(0, value.find("\r\n")));
  }
}

std::optional<uint32_t> ResponseParser::keep_alive_timeout_s() const {
  std::optional<uint32_t> seconds;
  for_each_list_member(header("keep-alive"), [&](std::string_view member) {
    constexpr std::string_view name = "timeout=";
    if (!equal_ignoring_case(member.substr(0, name.size()), name)) return;
    const auto value = parse_decimal(member.substr(name.size()));
    if (!value) return;
    seconds =
        static_cast<uint32_t>(std::min<uint64_t>(*value, std::numeric_limits<uint32_t>::max()));
  });
  return seconds;
}

// --- refusals ------------------------------------------------------------------------------------

ResponseParser::Progress ResponseParser::fail(Errc code, std::string_view reason) {
  state_ = State::failed;
  error_ = {code, Side::endpoint, status_};
  reason_ = reason;
  return Progress::failed;
}

bool ResponseParser::refuse(std::string_view reason) {
  fail(Errc::malformed, reason);
  return false;
}

}  // namespace ringpost::http
