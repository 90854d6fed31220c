#include "http/response_parser.h"

#include "base/assert.h"
#include "http/syntax.h"

#include <algorithm>
#include <limits>

namespace ringpost::http {
namespace {

BadAnswer reason_of(HeadFault fault) {
  switch (fault) {
    case HeadFault::none: break;
    case HeadFault::binary: return BadAnswer::binary;
    case HeadFault::first_line_too_long: return BadAnswer::status_line_bytes;
    case HeadFault::line_too_long: return BadAnswer::header_line_bytes;
    case HeadFault::headers_too_many: return BadAnswer::header_count;
    case HeadFault::headers_too_large: return BadAnswer::header_bytes;
    case HeadFault::bare_line_feed: return BadAnswer::bare_line_feed;
    case HeadFault::control_byte: return BadAnswer::control_byte;
    case HeadFault::leading_space: return BadAnswer::leading_space;
    case HeadFault::empty_line: return BadAnswer::no_status_line;
  }
  RINGPOST_UNREACHABLE();
}

BadAnswer reason_of(BodyFault fault) {
  switch (fault) {
    case BodyFault::none: break;
    case BodyFault::chunk_size: return BadAnswer::chunk_size;
    case BodyFault::chunk_extension: return BadAnswer::chunk_extension;
    case BodyFault::chunk_end: return BadAnswer::chunk_end;
    case BodyFault::trailer: return BadAnswer::trailer;
    case BodyFault::trailer_too_large: return BadAnswer::trailer_bytes;
  }
  RINGPOST_UNREACHABLE();
}

/// Within HTTP's rules, beyond our limits. What is wrong with a body is malformed in any case.
bool is_size(BadAnswer reason) {
  return reason == BadAnswer::status_line_bytes || reason == BadAnswer::header_line_bytes ||
         reason == BadAnswer::header_count || reason == BadAnswer::header_bytes ||
         reason == BadAnswer::interim_count;
}

}  // namespace

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
      case HeadReader::Progress::failed: return fail(reason_of(head_reader_.fault()));
    }
  }
}

/// RFC 9110, 15.2: a client reads on after interim answers. They have no body.
ResponseParser::Progress ResponseParser::end_of_interim(Bytes rest) {
  if (status_read_ == 101) return fail(BadAnswer::upgrade);
  if (length_ || has_coding_) return fail(BadAnswer::interim_body);
  if (++interim_ > limits_.interim_max) return fail(BadAnswer::interim_count);
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
      case BodyReader::Progress::failed: return fail(reason_of(body_reader_.fault()));
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
  end_with({Errc::closed, Side::endpoint});
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
  refused_head_.clear();
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
    return refuse(BadAnswer::http_version);
  }
  http_1_0_ = line[7] == '0';
  line.remove_prefix(9);
  const bool three_digits = line.size() >= 3 && is_digit(line[0]) && is_digit(line[1]) &&
                            is_digit(line[2]) && (line.size() == 3 || line[3] == ' ');
  if (!three_digits) return refuse(BadAnswer::status_digits);
  status_read_ =
      static_cast<uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
  if (status_read_ < 100 || status_read_ > 599) return refuse(BadAnswer::status_range);
  return true;
}

bool ResponseParser::read_header_line(std::string_view line) {
  const auto field = split_field_line(line);
  if (!field) return refuse(BadAnswer::header_form);
  const auto [name, value] = *field;
  if (is_framing_line_with_tab(line)) return refuse(BadAnswer::framing_tab);
  if (equal_ignoring_case(name, "content-length")) {
    if (length_) return refuse(BadAnswer::length_twice);
    length_ = parse_decimal(value);
    return length_.has_value() || refuse(BadAnswer::length_form);
  }
  if (equal_ignoring_case(name, "transfer-encoding")) {
    if (has_coding_) return refuse(BadAnswer::coding_twice);
    has_coding_ = true;
    return equal_ignoring_case(value, "chunked") || refuse(BadAnswer::coding_unknown);
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
  if (length_ && has_coding_) return refuse(BadAnswer::length_and_coding);
  if (has_coding_ && http_1_0_) return refuse(BadAnswer::coding_http_1_0);
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

ResponseParser::Progress ResponseParser::fail(BadAnswer reason) {
  const Errc code = is_size(reason) ? Errc::too_large : Errc::malformed;
  end_with({code, Side::endpoint, static_cast<int32_t>(reason)});
  return Progress::failed;
}

bool ResponseParser::refuse(BadAnswer reason) {
  fail(reason);
  return false;
}

void ResponseParser::end_with(const Error& error) {
  if (status_ == 0) refused_head_ = head_reader_.seen().substr(0, refused_head_bytes_max);
  state_ = State::failed;
  error_ = error;
}

}  // namespace ringpost::http
