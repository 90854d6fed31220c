#include "http/body_reader.h"

#include "base/assert.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>

namespace ringpost::http {

std::string_view describe(BodyFault fault) {
  switch (fault) {
    case BodyFault::none: return "no fault";
    case BodyFault::chunk_size: return "a chunk size is not 1 to 16 hexadecimal digits";
    case BodyFault::chunk_extension: return "chunk extensions are malformed or too long";
    case BodyFault::chunk_end:
      return "a chunk does not end with CR LF after as many bytes as its size says";
    case BodyFault::trailer:
      return "the trailer is malformed or contains a field that is allowed only in the head";
    case BodyFault::trailer_too_large: return "the trailer is too large";
  }
  RINGPOST_UNREACHABLE();
}

bool forbidden_in_trailer(std::string_view name) {
  static constexpr std::array<std::string_view, 29> names{"authorization",
                                                          "cache-control",
                                                          "connection",
                                                          "content-encoding",
                                                          "content-length",
                                                          "content-location",
                                                          "content-range",
                                                          "content-type",
                                                          "cookie",
                                                          "expect",
                                                          "forwarded",
                                                          "host",
                                                          "keep-alive",
                                                          "max-forwards",
                                                          "origin",
                                                          "pragma",
                                                          "proxy-connection",
                                                          "proxy-authorization",
                                                          "range",
                                                          "referer",
                                                          "set-cookie",
                                                          "te",
                                                          "trailer",
                                                          "transfer-encoding",
                                                          "upgrade",
                                                          "via",
                                                          "warning",
                                                          "www-authenticate",
                                                          "proxy-authenticate"};
  return std::ranges::any_of(
      names, [&](std::string_view forbidden) { return equal_ignoring_case(name, forbidden); });
}

void BodyReader::begin(BodyFraming framing, uint64_t length) {
  RINGPOST_ASSERT(framing == BodyFraming::length || length == 0);
  framing_ = framing;
  fault_ = BodyFault::none;
  bare_line_feed_ = false;
  remaining_ = length;
  extension_bytes_ = trailer_bytes_ = 0;
  trailer_line_.clear();
  switch (framing) {
    case BodyFraming::none: state_ = State::done; break;
    case BodyFraming::length: state_ = length == 0 ? State::done : State::data; break;
    case BodyFraming::chunked: state_ = State::size_first; break;
    case BodyFraming::until_close: state_ = State::data; break;
  }
}

BodyReader::Piece BodyReader::next(Bytes bytes) {
  RINGPOST_ASSERT(fault_ == BodyFault::none);
  if (state_ == State::done) return {Progress::complete, {}, 0};
  if (bytes.empty()) return {Progress::need_more, {}, 0};
  return state_ == State::data ? next_data(bytes) : next_framing(bytes);
}

BodyReader::Piece BodyReader::next_data(Bytes bytes) {
  if (framing_ == BodyFraming::until_close) return {Progress::data, bytes, bytes.size()};
  const auto size = static_cast<size_t>(std::min<uint64_t>(remaining_, bytes.size()));
  remaining_ -= size;
  if (remaining_ == 0) {
    state_ = framing_ == BodyFraming::chunked ? State::data_end_return : State::done;
  }
  return {Progress::data, bytes.first(size), size};
}

BodyReader::Piece BodyReader::next_framing(Bytes bytes) {
  size_t consumed = 0;
  while (consumed < bytes.size()) {
    if (!step(static_cast<char>(bytes[consumed]))) return {Progress::failed, {}, consumed};
    ++consumed;
    if (state_ == State::done) return {Progress::complete, {}, consumed};
    if (state_ == State::data) {
      Piece piece = next_data(bytes.subspan(consumed));
      piece.consumed += consumed;
      if (piece.data.empty()) piece.progress = Progress::need_more;
      return piece;
    }
  }
  return {Progress::need_more, {}, consumed};
}

bool BodyReader::step(char byte) {
  switch (state_) {
    case State::data_end_return:
      if (byte == '\n' && tolerates_line_feed()) {
        state_ = State::size_first;
        return true;
      }
      state_ = State::data_end_feed;
      return byte == '\r' || refuse(BodyFault::chunk_end);
    case State::data_end_feed:
      state_ = State::size_first;
      return byte == '\n' || refuse(BodyFault::chunk_end);
    case State::size_first:
      remaining_ = size_digits_ = 0;
      state_ = State::size_digits;
      return hex_value(byte) ? step_size(byte) : refuse(BodyFault::chunk_size);
    case State::size_digits: return step_size(byte);
    case State::size_space: return step_size_space(byte);
    case State::extension:
      return rules_ == Rules::tolerant ? skip_extension(byte) : step_extension(byte);
    case State::size_end_feed: return byte == '\n' ? end_of_size() : refuse(BodyFault::chunk_end);
    case State::trailer: return step_trailer(byte);
    case State::data:
    case State::done: break;
  }
  RINGPOST_UNREACHABLE();
}

bool BodyReader::step_size(char byte) {
  if (const auto digit = hex_value(byte)) {
    if (++size_digits_ > 16) return refuse(BodyFault::chunk_size);
    remaining_ = remaining_ << 4 | *digit;
    return true;
  }
  if (byte == '\r') {
    state_ = State::size_end_feed;
    return true;
  }
  if (byte == ';') return begin_extension();
  if (rules_ == Rules::tolerant) return step_size_space(byte);
  return refuse(BodyFault::chunk_size);
}

/// RFC 9112, 7.1.1 and RFC 9110, 5.6.3: white space before an extension "MUST" be removed; it comes
/// without one, too, from servers that pad sizes.
bool BodyReader::step_size_space(char byte) {
  state_ = State::size_space;
  switch (byte) {
    case ' ':
    case '\t':
      return ++extension_bytes_ <= extension_bytes_max || refuse(BodyFault::chunk_extension);
    case ';': return begin_extension();
    case '\r': state_ = State::size_end_feed; return true;
    case '\n': return tolerates_line_feed() && end_of_size();
    default: return refuse(BodyFault::chunk_size);
  }
}

bool BodyReader::begin_extension() {
  state_ = State::extension;
  extension_part_ = ExtensionPart::name_first;
  return ++extension_bytes_ <= extension_bytes_max || refuse(BodyFault::chunk_extension);
}

bool BodyReader::end_of_size() {
  state_ = remaining_ == 0 ? State::trailer : State::data;
  return true;
}

bool BodyReader::tolerates_line_feed() {
  if (rules_ == Rules::strict) return false;
  bare_line_feed_ = true;
  return true;
}

/// RFC 9112, 7.1.1: "A recipient MUST ignore unrecognized chunk extensions." A quoted value holds
/// no line end, so the line's is the extensions' too.
bool BodyReader::skip_extension(char byte) {
  if (++extension_bytes_ > extension_bytes_max) return refuse(BodyFault::chunk_extension);
  if (byte == '\n') return tolerates_line_feed() && end_of_size();
  if (byte == '\r') state_ = State::size_end_feed;
  return true;
}

/// `name` or `name=token`, any number of them. Quoted values are refused: a reader that does not
/// know about quotes would see their end, and so the chunk's, elsewhere.
bool BodyReader::step_extension(char byte) {
  if (++extension_bytes_ > extension_bytes_max) return refuse(BodyFault::chunk_extension);
  const bool whole =
      extension_part_ == ExtensionPart::name || extension_part_ == ExtensionPart::value;
  if (is_token_character(byte)) {
    const bool in_name =
        extension_part_ == ExtensionPart::name_first || extension_part_ == ExtensionPart::name;
    extension_part_ = in_name ? ExtensionPart::name : ExtensionPart::value;
    return true;
  }
  if (!whole) return refuse(BodyFault::chunk_extension);
  if (byte == '\r') {
    state_ = State::size_end_feed;
    return true;
  }
  if (byte == ';') {
    extension_part_ = ExtensionPart::name_first;
    return true;
  }
  if (byte != '=' || extension_part_ == ExtensionPart::value) {
    return refuse(BodyFault::chunk_extension);
  }
  extension_part_ = ExtensionPart::value_first;
  return true;
}

bool BodyReader::step_trailer(char byte) {
  if (++trailer_bytes_ > trailer_bytes_max) return refuse(BodyFault::trailer_too_large);
  if (byte == '\n') return end_of_trailer_line();
  if (trailer_line_.ends_with('\r')) return refuse(BodyFault::trailer);
  trailer_line_.push_back(byte);
  if (trailer_line_.size() > trailer_line_bytes_max) return refuse(BodyFault::trailer_too_large);
  return true;
}

bool BodyReader::end_of_trailer_line() {
  std::string_view line = trailer_line_;
  const bool with_return = line.ends_with('\r');
  if (!with_return && !tolerates_line_feed()) return refuse(BodyFault::trailer);
  line.remove_suffix(with_return ? 1 : 0);
  if (line.empty()) {
    state_ = State::done;
    std::string{}.swap(trailer_line_);
    return true;
  }
  const auto field = parse_field_line(line);
  if (!field || forbidden_in_trailer(field->name)) return refuse(BodyFault::trailer);
  trailer_line_.clear();
  return true;
}

bool BodyReader::refuse(BodyFault fault) {
  fault_ = fault;
  return false;
}

}  // namespace ringpost::http
