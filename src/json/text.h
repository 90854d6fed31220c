#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringpost::json {

/// Whether a media type (`datacontenttype`) declares JSON: absent, `…/json` or `…+json`.
bool declares_json(std::string_view content_type);

/// `token` without the white space of JSON behind it.
std::string_view trim_end(std::string_view token);

/// Whether `token` is a number, `true`, `false` or `null` by RFC 8259, and nothing besides.
bool is_json_literal(std::string_view token);

/// The whole number that a JSON number means, in plain digits: `60.0` and `6e1` are `60`, `-0`
/// is `0`. By its value and not by its spelling, as JSON Schema counts integers; exact, whatever
/// the exponent. Nothing if `token` is a number with a fraction, or of more than 20 digits (64
/// bits).
/// @param token  a number by RFC 8259, section 6.
std::optional<std::string> whole_number(std::string_view token);

/// Whether every backslash in `json` begins an escape of RFC 8259. Meant for whole documents whose
/// structure is checked elsewhere: there a backslash can be in strings only. Lone surrogates
/// pass: the grammar allows them, and `data` is not ours to judge.
bool escapes_are_valid(std::string_view json);

/// Appends the text that the inside of a JSON string (without its quotes) means.
/// @returns false if it holds an unpaired surrogate or a bad escape: there is no such text then.
bool unescape(std::string_view inside, std::string& out);

}  // namespace ringpost::json
