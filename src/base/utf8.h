#pragma once

#include <cstddef>
#include <string_view>

namespace ringpost {

/// What takes the place of bytes that are not UTF-8: U+FFFD.
inline constexpr std::string_view utf8_replacement = "\xEF\xBF\xBD";

/// The length of the UTF-8 sequence at the front of `text`, or 0 if there is no valid one
/// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). `text` is not empty.
size_t utf8_sequence_size(std::string_view text);

/// Whether `value` (UTF-8) holds a control character (C0, DEL or C1) or one of Unicode's
/// noncharacters: CloudEvents' String has none, and attributes of events end up in headers, logs
/// and pages.
bool has_forbidden_character(std::string_view value);

}  // namespace ringpost
