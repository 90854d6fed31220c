#include "http/response_parser.h"

#include "base/assert.h"
#include "http/syntax.h"

#include <algorithm>
#include <limits>
#include <utility>

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

/// Within HTTP's rules, beyond our limits.
bool is_size(BadAnswer reason) {
  return reason == BadAnswer::status_line_bytes || reason == BadAnswer::header_line_bytes ||
         reason == BadAnswer::header_count || reason == BadAnswer::header_bytes ||
         reason == BadAnswer::interim_count;
}

/// `split_field_line`, with the white space that must not stand before the colon (RFC 9112, 5.1)
/// removed.
std::optional<FieldLine> split_spaced_field_line(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view name = trim(line.substr(0, colon));
  if (!is_token(name)) return std::nullopt;
  return FieldLine{name, trim(line.substr(colon + 1))};
}

/// The lines of `head` with CR LF behind each: a folded line is part of the one before (RFC 9112,
/// 5.2), unless that is the status line (2.2: "consume each whitespace-preceded line without
/// further processing"); control bytes are spaces; there is none before a colon.
std::string tidied(std::string_view head) {
  std::string tidy;
  bool at_first = true;
  bool folds = false;  // Behind a line that can be continued.
  while (!head.empty()) {
    const size_t end = std::min(head.find('\n'), head.size());
    std::string line{head.substr(0, end)};
    head.remove_prefix(std::min(end + 1, head.size()));
    if (line.ends_with('\r')) line.pop_back();
    std::ranges::replace_if(
        line,
        [](char byte) {
          return !is_field_text({&byte, 1});
        },
        ' ');
    if (!at_first && !line.empty() && (line.front() == ' ' || line.front() == '\t')) {
      if (folds) tidy.replace(tidy.size() - 2, 2, " ").append(trim(line)).append("\r\n");
      continue;
    }
    if (const auto field = split_spaced_field_line(line); field && !at_first) {
      line = std::string{field->name} + ": " + std::string{field->value};
    }
    tidy.append(line).append("\r\n");
    folds = !at_first;
    at_first = false;
  }
  return tidy;
}

}  // namespace

ResponseParser::ResponseParser(const ResponseLimits& limits)
    : limits_(limits),
      head_reader_({.first_line_bytes_max = limits.status_line_bytes_max,
                    .line_bytes_max = limits.head_bytes_max,
                    .headers_max = limits.headers_max,
                    .header_bytes_max = limits.head_bytes_max},
                   Rules::tolerant),
      body_reader_(Rules::tolerant) {}

// --- flow: head ⟲ (interim) ─> body ─> complete | enough -----------------------------------------

ResponseParser::Progress ResponseParser::feed(Bytes bytes) {
  begun_ = begun_ || !bytes.empty();
  switch (state_) {
    case State::head: return feed_head(bytes);
    case State::body: return feed_body(bytes);
    case State::enough:
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
      case HeadReader::Progress::line:
        if (!head_reader_.first_line()) {
          read_header_line(head_reader_.line());
        } else if (!read_status_line(head_reader_.line())) {
          return Progress::failed;
        }
        break;
      case HeadReader::Progress::end: {
        const Bytes rest = bytes.subspan(head_reader_.consumed());
        return status_read_ < 200 ? end_of_interim(rest) : end_of_head(rest);
      }
      case HeadReader::Progress::failed: return on_head_fault();
    }
  }
}

/// A head beyond the limits still has a status, if that was the final one; the rest of it, and so
/// the place where it ends, is not read.
ResponseParser::Progress ResponseParser::on_head_fault() {
  const HeadFault fault = head_reader_.fault();
  if (fault == HeadFault::first_line_too_long && !read_status_line(head_reader_.cut_first_line())) {
    return Progress::failed;
  }
  if (status_read_ < 200) return fail(reason_of(fault));
  const std::string_view lines =
      fault == HeadFault::first_line_too_long ? head_reader_.cut_first_line() : head_reader_.head();
  status_ = status_read_;
  head_ = tidied(lines);
  return enough(reason_of(fault));
}

/// RFC 9110, 15.2: a client reads on after interim answers. They have no body.
ResponseParser::Progress ResponseParser::end_of_interim(Bytes rest) {
  if (status_read_ == 101) return fail(BadAnswer::upgrade);
  if (framing_.length || framing_.has_coding()) note(BadAnswer::interim_body);
  if (++interim_ > limits_.interim_max) return fail(BadAnswer::interim_count);
  if (untidy()) note(untidy_reason());
  head_reader_.reset();
  begin_head();
  return feed_head(rest);
}

ResponseParser::Progress ResponseParser::end_of_head(Bytes rest) {
  status_ = status_read_;
  if (untidy()) {
    read_tidied_head();
  } else {
    head_.assign(head_reader_.head());
  }
  head_reader_.reset();
  keep_alive_ = !says_close_ && (says_keep_alive_ || !http_1_0_);
  BodyFraming framing = BodyFraming::none;
  if (!decide_framing(framing)) return enough(fault_);
  body_reader_.begin(framing, framing == BodyFraming::length ? *framing_.length : 0);
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
      case BodyReader::Progress::failed: return enough(reason_of(body_reader_.fault()));
      case BodyReader::Progress::data: {
        const size_t room = limits_.body_bytes_max - body_.size();
        body_.append(as_text(piece.data.first(std::min(room, piece.data.size()))));
        body_bytes_seen_ += piece.data.size();
        if (piece.data.size() > room) return enough(std::nullopt);
        break;
      }
    }
  }
}

std::string ResponseParser::take_body() {
  body_bytes_seen_ -= body_.size();
  return std::exchange(body_, {});
}

ResponseParser::Progress ResponseParser::complete(Bytes rest) {
  if (body_reader_.bare_line_feed()) note(BadAnswer::bare_line_feed);
  surplus_ = !rest.empty();
  if (surplus_) note(BadAnswer::surplus);
  state_ = State::complete;
  return Progress::complete;
}

ResponseParser::Progress ResponseParser::enough(std::optional<BadAnswer> fault) {
  if (fault) note(*fault);
  state_ = State::enough;
  return Progress::enough;
}

namespace {

BadAnswer body_fault_of(const std::optional<Error>& error) {
  if (error && error->code == Errc::timed_out) return BadAnswer::body_late;
  return !error || error->code == Errc::closed ? BadAnswer::body_cut : BadAnswer::body_reset;
}

}  // namespace

bool ResponseParser::on_end(const std::optional<Error>& error) {
  RINGPOST_ASSERT(state_ == State::head || state_ == State::body);
  if (state_ == State::body) {
    if (!error && body_reader_.ends_at_eof()) {
      complete({});
    } else {
      enough(body_fault_of(error));
    }
    return true;
  }
  const BadAnswer reason = begun_ ? BadAnswer::head_cut : BadAnswer::no_answer;
  const bool closed = !error || error->code == Errc::closed;
  end_with(closed ? Error{Errc::closed, Side::endpoint, static_cast<int32_t>(reason)} : *error);
  return false;
}

void ResponseParser::reset() {
  head_reader_.reset();
  fault_.reset();
  begin_head();
  state_ = State::head;
  begun_ = keep_alive_ = boundary_certain_ = surplus_ = false;
  status_ = 0;
  interim_ = 0;
  body_bytes_seen_ = 0;
  head_.clear();
  body_.clear();
  refused_head_.clear();
}

void ResponseParser::begin_head() {
  status_read_ = 0;
  http_1_0_ = says_close_ = says_keep_alive_ = false;
  framing_ = {};
  fault_before_ = fault_;
}

// --- the head ------------------------------------------------------------------------------------

/// RFC 9112, 4: `HTTP/1.1 SP 3DIGIT SP [reason]`; the second SP is often left out with the reason.
/// "Recipients MAY instead parse on whitespace-delimited word boundaries". A later 1.x is read as
/// 1.1 (RFC 9110, 2.5).
bool ResponseParser::read_status_line(std::string_view line) {
  const bool version = line.size() > 8 && line.starts_with("HTTP/1.") && is_digit(line[7]) &&
                       (line[8] == ' ' || line[8] == '\t');
  if (!version) return refuse(BadAnswer::http_version);
  http_1_0_ = line[7] == '0';
  line = trim(line.substr(9));
  const bool three_digits = line.size() >= 3 && is_digit(line[0]) && is_digit(line[1]) &&
                            is_digit(line[2]) &&
                            (line.size() == 3 || line[3] == ' ' || line[3] == '\t');
  if (!three_digits) return refuse(BadAnswer::status_digits);
  status_read_ =
      static_cast<uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
  if (status_read_ < 100 || status_read_ > 599) return refuse(BadAnswer::status_range);
  return true;
}

void ResponseParser::read_header_line(std::string_view line) {
  const auto field = split_field_line(line);
  if (!field) {
    framing_.line_lost = true;
    return;
  }
  const auto [name, value] = *field;
  if (is_framing_line_with_tab(line)) note(BadAnswer::framing_tab);
  if (equal_ignoring_case(name, "content-length")) {
    read_length(value);
  } else if (equal_ignoring_case(name, "transfer-encoding")) {
    read_coding(value);
  } else if (equal_ignoring_case(name, "connection")) {
    for_each_list_member(value, [this](std::string_view member) {
      says_close_ = says_close_ || equal_ignoring_case(member, "close");
      says_keep_alive_ = says_keep_alive_ || equal_ignoring_case(member, "keep-alive");
    });
  }
}

/// RFC 9110, 8.6: lengths that are the same number, in one line or several, are one.
void ResponseParser::read_length(std::string_view value) {
  for_each_list_member(value, [this](std::string_view member) {
    const auto length = parse_decimal(member);
    if (!length) {
      note(BadAnswer::length_form);
      framing_.lengths_clash = true;
    } else if (framing_.length) {
      note(BadAnswer::length_twice);
      framing_.lengths_clash = framing_.lengths_clash || *length != *framing_.length;
    } else {
      framing_.length = length;
    }
  });
}

void ResponseParser::read_coding(std::string_view value) {
  if (value.empty()) note(BadAnswer::coding_unknown);
  for_each_list_member(value, [this](std::string_view member) {
    if (member.empty()) return;
    framing_.chunked_last = equal_ignoring_case(member, "chunked");
    if (framing_.chunked_last) {
      if (framing_.chunked > 0) note(BadAnswer::coding_twice);
      framing_.chunked = framing_.chunked > 0 ? 2 : 1;
    } else {
      note(BadAnswer::coding_unknown);
      framing_.other_coding = true;
    }
  });
}

bool ResponseParser::untidy() const {
  return framing_.line_lost || head_reader_.tolerated() != HeadFault::none;
}

BadAnswer ResponseParser::untidy_reason() const {
  const HeadFault tolerated = head_reader_.tolerated();
  return tolerated == HeadFault::none ? BadAnswer::header_form : reason_of(tolerated);
}

/// The head again, with its lines put in order.
void ResponseParser::read_tidied_head() {
  fault_ = fault_before_;
  note(untidy_reason());
  const std::string_view raw = head_reader_.head();
  const char second_line_first = raw[raw.find('\n') + 1];
  head_ = tidied(raw);
  says_close_ = says_keep_alive_ = false;
  framing_ = {.line_lost = second_line_first == ' ' || second_line_first == '\t'};
  std::string_view rest = std::string_view{head_}.substr(head_.find("\r\n") + 2);
  while (rest.size() > 2) {
    const size_t end = rest.find("\r\n");
    read_header_line(rest.substr(0, end));
    rest.remove_prefix(end + 2);
  }
}

/// RFC 9112, 6.3, for an answer to a POST or GET.
/// @returns false if nobody can say where the body ends.
bool ResponseParser::decide_framing(BodyFraming& framing) {
  boundary_certain_ = true;
  if (status_read_ == 204 || status_read_ == 304) {
    // A 304 may tell the length that a 200 would have had. A 204 that announces a body may well
    // send one: no body is read, and the connection is not used again.
    boundary_certain_ =
        !framing_.has_coding() && (status_read_ == 304 || framing_.length.value_or(0) == 0);
    framing = BodyFraming::none;
  } else if (framing_.has_coding()) {
    // It overrides a Content-Length, and says nothing to a reader of HTTP/1.0 (6.1): "close the
    // connection after processing the message".
    if (framing_.length || framing_.lengths_clash) note(BadAnswer::length_and_coding);
    if (http_1_0_) note(BadAnswer::coding_http_1_0);
    if (framing_.chunked > 1) return false;
    framing = framing_.chunked_last ? BodyFraming::chunked : BodyFraming::until_close;
  } else if (framing_.lengths_clash) {
    return false;
  } else if (framing_.length) {
    framing = BodyFraming::length;
  } else {
    framing = BodyFraming::until_close;
    boundary_certain_ = false;
    return !framing_.line_lost;
  }
  return true;
}

std::string_view ResponseParser::kept_head() const {
  if (head_.size() <= kept_head_bytes_max) return head_;
  return std::string_view{head_}.substr(0, head_.rfind("\r\n", kept_head_bytes_max - 2) + 2);
}

bool ResponseParser::truncated() const {
  if (status_ == 0) return false;
  return !complete() || body_bytes_seen_ > body_.size() || head_.size() > kept_head_bytes_max;
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

void ResponseParser::note(BadAnswer fault) {
  if (!fault_) fault_ = fault;
}

void ResponseParser::end_with(const Error& error) {
  if (status_ == 0) refused_head_ = head_reader_.seen().substr(0, refused_head_bytes_max);
  state_ = State::failed;
  error_ = error;
}

}  // namespace ringpost::http
