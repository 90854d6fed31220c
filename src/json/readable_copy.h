#pragma once

#include <string>
#include <string_view>

namespace ringpost::json {

/// simdjson's DOM knows fewer numbers and strings than RFC 8259. It can read this copy of a text:
/// each number without a fraction stands in plain digits if it has 64 bits at most (`6e1` is 60);
/// any other number is 0.5, and a string with an unpaired surrogate is `unreadable_text_value`. No
/// other number of the copy has a fraction. A member's name that is not valid text is replaced by
/// its spelling.
///
/// Who has to show or pass on such a value takes it from the text itself (`Document::spelled`).
/// @param json  one JSON text by RFC 8259: find_fault() finds nothing.
std::string readable_copy(std::string_view json);

inline constexpr double unreadable_text_value = -0.5;

}  // namespace ringpost::json
