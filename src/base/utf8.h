#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringpost {

/// What takes the place of bytes that are not UTF-8: U+FFFD.
inline constexpr std::string_view utf8_replacement = "\xEF\xBF\xBD";

/// The length of the UTF-8 sequence at the front of `text`, or 0 if there is no valid one
/// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). `text` is not empty.
size_t utf8_sequence_size(std::string_view text);

struct Utf8Character {
  uint32_t code = 0;
  size_t size = 0;  ///< In bytes; 0: there is no valid UTF-8.
};
/// What `text` begins with, by the same rules.
Utf8Character first_character(std::string_view text);

/// Whether nobody would see it: control characters (C0, DEL, C1), line ends of any script, and
/// what has no width or changes the direction of other characters, which makes a text look like
/// another one.
bool is_unprintable(uint32_t code);

/// Whether `value` (UTF-8) holds a control character (C0, DEL or C1) or one of Unicode's
/// noncharacters: CloudEvents' String has none, and attributes of events end up in headers, logs
/// and pages.
bool has_forbidden_character(std::string_view value);

}  // namespace ringpost
