#include "json/fault.h"

#include "json/text.h"

#include <simdjson.h>

#include <algorithm>

namespace ringpost::json {
namespace {

constexpr std::string_view white_space = " \t\r\n";

bool is_hex_digit(char byte) {
  return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

/// Reads a text from its front, one rule of RFC 8259's grammar for each function. Each returns
/// false after it has noted a fault.
class Reader {
 public:
  Reader(std::string_view text, uint32_t levels_max) : text_(text), levels_left_(levels_max) {}

  bool read() {
    if (text_.starts_with(byte_order_mark)) {
      return fail(
          "the text begins with a byte order mark (the bytes EF BB BF); save it without one");
    }
    if (!read_value()) return false;
    skip_blanks();
    if (ended()) return true;
    return fail("there is more text after the end of the JSON value");
  }

  const Fault& fault() const { return fault_; }

 private:
  bool ended() const { return at_ == text_.size(); }
  char next() const { return ended() ? '\0' : text_[at_]; }
  void skip_blanks() { at_ = std::min(text_.find_first_not_of(white_space, at_), text_.size()); }

  bool take(char byte) {
    if (ended() || next() != byte) return false;
    ++at_;
    return true;
  }

  bool fail_at(size_t at, std::string_view what) {
    fault_ = {at, what};
    return false;
  }

  /// @param what  unless something that people write instead of JSON stands there.
  bool fail(std::string_view what) {
    if (ended()) what = "the text stops in the middle of a value";
    if (next() == '#' || next() == '/') what = "comments are not allowed in JSON";
    if (next() == '\'') what = "strings and names must be in double quotes";
    return fail_at(at_, what);
  }

  bool read_value() {
    skip_blanks();
    if (ended() && text_.find_first_not_of(white_space) == std::string_view::npos) {
      return fail_at(at_, "there is no JSON value");
    }
    switch (next()) {
      case '{': return read_nested(&Reader::read_members);
      case '[': return read_nested(&Reader::read_elements);
      case '"': return read_string();
      default: return read_literal();
    }
  }

  bool read_nested(bool (Reader::*read_inside)()) {
    if (levels_left_ == 0) return fail("objects and arrays are nested too deeply");
    --levels_left_;
    ++at_;
    const bool good = (this->*read_inside)();
    ++levels_left_;
    return good;
  }

  bool read_members() {
    skip_blanks();
    if (take('}')) return true;
    do {
      skip_blanks();
      if (next() == '}') return fail("a member is missing after the comma");
      if (next() != '"') return fail("a member's name in double quotes is missing");
      if (!read_string()) return false;
      skip_blanks();
      if (!take(':')) return fail("a colon is missing after a member's name");
      if (!read_value()) return false;
      skip_blanks();
    } while (take(','));
    return take('}') || fail("a comma or } is missing");
  }

  bool read_elements() {
    skip_blanks();
    if (take(']')) return true;
    do {
      skip_blanks();
      if (next() == ']') return fail("a value is missing after the comma");
      if (!read_value()) return false;
      skip_blanks();
    } while (take(','));
    return take(']') || fail("a comma or ] is missing");
  }

  bool read_string() {
    const size_t begin = at_++;
    while (!ended()) {
      const auto byte = static_cast<uint8_t>(next());
      if (byte == '"') {
        ++at_;
        return true;
      }
      if (byte < 0x20) return fail_at(at_, "a control character in a string is not escaped");
      const bool good = byte == '\\' ? read_escape() : byte < 0x80 ? take(next()) : read_wide();
      if (!good) return false;
    }
    return fail_at(begin, "the string that begins here has no closing quote");
  }

  bool read_escape() {
    const std::string_view escape = text_.substr(at_, text_.substr(at_ + 1, 1) == "u" ? 6 : 2);
    const bool good = escape.size() == 6 ? std::ranges::all_of(escape.substr(2), is_hex_digit)
                                         : escape.size() == 2 && escapes_are_valid(escape);
    if (!good) return fail_at(at_, "this escape does not exist in JSON");
    at_ += escape.size();
    return true;
  }

  /// A character beyond ASCII.
  bool read_wide() {
    const auto lead = static_cast<uint8_t>(next());
    const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    const std::string_view character = text_.substr(at_, size);
    if (!simdjson::validate_utf8(character)) return fail_at(at_, "the bytes are not UTF-8");
    at_ += character.size();
    return true;
  }

  bool read_literal() {
    const size_t end = std::min(text_.find_first_of(" \t\r\n,:[]{}\"", at_), text_.size());
    const std::string_view token = text_.substr(at_, end - at_);
    if (!is_json_literal(token)) {
      const bool utf8 = simdjson::validate_utf8(token);
      return utf8 ? fail("this is not a JSON value") : fail_at(at_, "the bytes are not UTF-8");
    }
    at_ = end;
    return true;
  }

  const std::string_view text_;
  uint32_t levels_left_;
  size_t at_ = 0;
  Fault fault_;
};

bool begins_character(char byte) {
  return (static_cast<uint8_t>(byte) & 0xc0) != 0x80;
}

}  // namespace

std::optional<Fault> find_fault(std::string_view text, uint32_t levels_max) {
  Reader reader{text, levels_max};
  if (reader.read()) return std::nullopt;
  return reader.fault();
}

std::string describe(const Fault& fault, std::string_view text) {
  const std::string_view before = text.substr(0, fault.at);
  const size_t line_begin = before.rfind('\n') + 1;  // 0 if there is none.
  const auto line = std::ranges::count(before, '\n') + 1;
  const auto column = std::ranges::count_if(before.substr(line_begin), begins_character) + 1;
  std::string place = "line " + std::to_string(line) + ", column " + std::to_string(column);
  if (fault.at > 0) place += " (after " + std::to_string(fault.at) + " bytes)";
  return place.append(": ").append(fault.what);
}

}  // namespace ringpost::json
