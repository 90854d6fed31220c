#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ringpost::http {

/// How much is forgiven. Requests are refused wherever two readers could read them in two ways. An
/// answer is read as a user agent must: whoever sent it has acted on our request already.
enum class Rules : uint8_t { strict, tolerant };

/// RFC 9110, 5.6.2: `tchar`, of which methods and header names are made.
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int byte = '0'; byte <= '9'; ++byte) table[static_cast<size_t>(byte)] = true;
  for (int byte = 'a'; byte <= 'z'; ++byte) table[static_cast<size_t>(byte)] = true;
  for (int byte = 'A'; byte <= 'Z'; ++byte) table[static_cast<size_t>(byte)] = true;
  for (const char byte : std::string_view{"!#$%&'*+-.^_`|~"}) {
    table[static_cast<uint8_t>(byte)] = true;
  }
  return table;
}

inline constexpr std::array<bool, 256> token_table = make_token_table();

inline bool is_token_character(char byte) {
  return token_table[static_cast<uint8_t>(byte)];
}

/// One or more `tchar`.
bool is_token(std::string_view text);
/// RFC 9110, 5.5: what a header value may hold: visible ASCII, SP, HTAB and bytes from 0x80.
bool is_field_text(std::string_view text);

inline char to_lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
}

inline bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

/// 0 to 15; nothing if `byte` is no hexadecimal digit.
inline std::optional<uint8_t> hex_value(char byte) {
  if (is_digit(byte)) return static_cast<uint8_t>(byte - '0');
  const char lower = to_lower(byte);
  if (lower >= 'a' && lower <= 'f') return static_cast<uint8_t>(lower - 'a' + 10);
  return std::nullopt;
}

inline bool equal_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (size_t index = 0; index < left.size(); ++index) {
    if (to_lower(left[index]) != to_lower(right[index])) return false;
  }
  return true;
}

inline bool begins_ignoring_case(std::string_view text, std::string_view prefix) {
  return equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

/// Without SP and HTAB at both ends.
std::string_view trim(std::string_view text);

/// RFC 9110, 8.6: one or more digits and nothing else; leading zeros are decimal, not octal.
/// Nothing if malformed or beyond 64 bits.
std::optional<uint64_t> parse_decimal(std::string_view text);

/// One header line, taken apart. Borrows from the line.
struct FieldLine {
  std::string_view name;
  std::string_view value;  ///< Trimmed.
};

/// RFC 9112, 5: `name ":" OWS value OWS`, `line` without its CRLF. Nothing if it is anything else:
/// white space before the colon, a folded line, a control byte, no name.
std::optional<FieldLine> parse_field_line(std::string_view line);
/// The same for a line that is known to be field text, as HeadReader's lines are.
std::optional<FieldLine> split_field_line(std::string_view line);

/// Whether `line`, a whole header line of field text, is a Content-Length or Transfer-Encoding with
/// a HTAB in it. RFC 9110 calls that white space; llhttp and others take it for part of the value.
bool is_framing_line_with_tab(std::string_view line);

/// Calls `visit(member)` for each element of a comma-separated list, trimmed; empty ones too.
template <typename Visit>
void for_each_list_member(std::string_view list, Visit visit) {
  while (true) {
    const size_t comma = list.find(',');
    visit(trim(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace ringpost::http
