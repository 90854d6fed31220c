#include "json/text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>

namespace ringpost::json {
namespace {

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

/// Removes the digits at the front. @returns whether there was one at least.
bool take_digits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  text.remove_prefix(count);
  return count > 0;
}

bool take(std::string_view& text, char byte) {
  if (!text.starts_with(byte)) return false;
  text.remove_prefix(1);
  return true;
}

/// RFC 8259, section 6. Of any length: a number is relayed as it is spelled, never computed.
bool is_number(std::string_view text) {
  take(text, '-');
  if (!take(text, '0') && !take_digits(text)) return false;
  if (take(text, '.') && !take_digits(text)) return false;
  if (take(text, 'e') || take(text, 'E')) {
    if (!take(text, '+')) take(text, '-');
    if (!take_digits(text)) return false;
  }
  return text.empty();
}

/// What the digits of an exponent stand for; no text is long enough to need more.
int64_t exponent_of(std::string_view text) {
  constexpr int64_t beyond_all = int64_t{1} << 40;
  const bool negative = take(text, '-');
  take(text, '+');
  int64_t value = 0;
  for (const char digit : text) value = std::min(value * 10 + (digit - '0'), beyond_all);
  return negative ? -value : value;
}

std::optional<uint32_t> hex_value(char digit) {
  if (is_digit(digit)) return static_cast<uint32_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<uint32_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<uint32_t>(digit - 'A' + 10);
  return std::nullopt;
}

/// The four hexadecimal digits at the front of `text`.
std::optional<uint32_t> code_unit(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  uint32_t unit = 0;
  for (size_t index = 0; index < 4; ++index) {
    const auto digit = hex_value(text[index]);
    if (!digit) return std::nullopt;
    unit = unit << 4 | *digit;
  }
  return unit;
}

void append_utf8(uint32_t code_point, std::string& out) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
  } else {
    if (code_point < 0x10000) {
      put(0xe0 | code_point >> 12);
    } else {
      put(0xf0 | code_point >> 18);
      put(0x80 | (code_point >> 12 & 0x3f));
    }
    put(0x80 | (code_point >> 6 & 0x3f));
  }
  put(0x80 | (code_point & 0x3f));
}

/// What a one-letter escape stands for; 0 for none.
char simple_escape(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/': return letter;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return '\0';
  }
}

/// Reads what follows `\u` (and, for a pair, the second half) from the front of `text`.
std::optional<uint32_t> take_code_point(std::string_view& text) {
  const auto first = code_unit(text);
  if (!first) return std::nullopt;
  text.remove_prefix(4);
  if (*first < 0xd800 || *first > 0xdfff) return first;
  if (*first > 0xdbff || !text.starts_with("\\u")) return std::nullopt;
  const auto second = code_unit(text.substr(2));
  if (!second || *second < 0xdc00 || *second > 0xdfff) return std::nullopt;
  text.remove_prefix(6);
  return 0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00);
}

}  // namespace

std::string_view trim_end(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' ||
                            token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

bool is_json_literal(std::string_view token) {
  return token == "true" || token == "false" || token == "null" || is_number(token);
}

std::optional<std::string> whole_number(std::string_view token) {
  constexpr size_t digits_max = 20;
  const bool negative = take(token, '-');
  const size_t exponent_at = std::min(token.find_first_of("eE"), token.size());
  const std::string_view mantissa = token.substr(0, exponent_at);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  std::string digits{mantissa.substr(0, point)};
  if (point < mantissa.size()) digits += mantissa.substr(point + 1);
  // The value is 0.DIGITS times ten to the power of `scale`.
  auto scale = static_cast<int64_t>(point);
  if (exponent_at < token.size()) scale += exponent_of(token.substr(exponent_at + 1));
  const size_t first = std::min(digits.find_first_not_of('0'), digits.size());
  digits.erase(0, first);
  scale -= static_cast<int64_t>(first);
  digits.resize(digits.find_last_not_of('0') + 1);
  if (digits.empty()) return "0";
  if (scale < static_cast<int64_t>(digits.size()) || scale > static_cast<int64_t>(digits_max)) {
    return std::nullopt;
  }
  digits.resize(static_cast<size_t>(scale), '0');
  return negative ? '-' + digits : digits;
}

bool escapes_are_valid(std::string_view json) {
  const char* at = json.data();
  const char* const end = at + json.size();
  while (at != end) {
    at = static_cast<const char*>(std::memchr(at, '\\', static_cast<size_t>(end - at)));
    if (at == nullptr) return true;
    ++at;
    if (at == end) return false;
    if (*at == 'u') {
      if (!code_unit({at + 1, static_cast<size_t>(end - at - 1)})) return false;
      at += 5;
    } else {
      if (simple_escape(*at) == '\0') return false;
      ++at;
    }
  }
  return true;
}

bool unescape(std::string_view inside, std::string& out) {
  while (!inside.empty()) {
    const size_t plain = std::min(inside.find('\\'), inside.size());
    out.append(inside.substr(0, plain));
    inside.remove_prefix(plain);
    if (inside.empty()) break;
    if (inside.size() < 2) return false;
    const char letter = inside[1];
    inside.remove_prefix(2);
    if (letter == 'u') {
      const auto code_point = take_code_point(inside);
      if (!code_point) return false;
      append_utf8(*code_point, out);
    } else {
      const char byte = simple_escape(letter);
      if (byte == '\0') return false;
      out.push_back(byte);
    }
  }
  return true;
}

bool declares_json(std::string_view content_type) {
  const std::string_view type = trim_end(content_type.substr(0, content_type.find(';')));
  const auto ends_with = [type](std::string_view ending) {
    return type.size() >= ending.size() &&
           std::ranges::equal(
               type.substr(type.size() - ending.size()), ending,
               [](char left, char right) { return (left | 0x20) == (right | 0x20); });
  };
  return type.empty() || ends_with("/json") || ends_with("+json");
}

}  // namespace ringpost::json
