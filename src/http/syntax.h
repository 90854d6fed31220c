#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ringpost::http {

/// RFC 9110, 5.6.2: `tchar`, of which methods and header names are made.
bool is_token_character(char byte);
/// One or more `tchar`.
bool is_token(std::string_view text);
/// RFC 9110, 5.5: what a header value may hold: visible ASCII, SP, HTAB and bytes from 0x80.
bool is_field_text(std::string_view text);

bool equal_ignoring_case(std::string_view left, std::string_view right);
char to_lower(char byte);
bool is_digit(char byte);
/// 0 to 15; nothing if `byte` is no hexadecimal digit.
std::optional<uint8_t> hex_value(char byte);

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
