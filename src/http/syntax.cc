#include "http/syntax.h"

#include <cstring>

namespace ringpost::http {
namespace {

bool is_field_byte(char byte) {
  const auto code = static_cast<uint8_t>(byte);
  return (code >= 0x20 && code != 0x7F) || code == '\t';
}

/// Whether none of eight bytes is below SP or DEL. Bytes from 0x80 pass; a HTAB does not, and the
/// caller looks closer. (Mycroft's test for a byte below n, and for a zero byte.)
bool eight_plain_bytes(const char* from) {
  constexpr uint64_t ones = 0x0101010101010101;
  constexpr uint64_t highs = 0x8080808080808080;
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  const uint64_t below_space = (word - ones * 0x20) & ~word & highs;
  const uint64_t without_delete = word ^ (ones * 0x7F);
  const uint64_t deletes = (without_delete - ones) & ~without_delete & highs;
  return (below_space | deletes) == 0;
}

}  // namespace

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (const char byte : text) {
    if (!is_token_character(byte)) return false;
  }
  return true;
}

bool is_field_text(std::string_view text) {
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    if (eight_plain_bytes(text.data() + at)) continue;
    for (size_t index = at; index < at + 8; ++index) {
      if (!is_field_byte(text[index])) return false;
    }
  }
  for (; at < text.size(); ++at) {
    if (!is_field_byte(text[at])) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<uint64_t> parse_decimal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char byte : text) {
    if (!is_digit(byte)) return std::nullopt;
    if (__builtin_mul_overflow(value, 10u, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<uint64_t>(byte - '0'), &value)) {
      return std::nullopt;
    }
  }
  return value;
}

std::optional<FieldLine> parse_field_line(std::string_view line) {
  return is_field_text(line) ? split_field_line(line) : std::nullopt;
}

std::optional<FieldLine> split_field_line(std::string_view line) {
  size_t colon = 0;
  while (colon < line.size() && is_token_character(line[colon])) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return std::nullopt;
  return FieldLine{line.substr(0, colon), trim(line.substr(colon + 1))};
}

bool is_framing_line_with_tab(std::string_view line) {
  if (line.find('\t') == std::string_view::npos) return false;
  const auto field = split_field_line(line);
  return field && (equal_ignoring_case(field->name, "content-length") ||
                   equal_ignoring_case(field->name, "transfer-encoding"));
}

}  // namespace ringpost::http
