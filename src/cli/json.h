#pragma once

#include <simdjson.h>

#include <string_view>

namespace ringpost::cli {

/// Parses JSON as the relay knows it: a number of any size is no fault (json/readable_copy.h).
/// @returns whether it is JSON; `out` lives as long as `parser` does not parse anything else.
bool parse_json(std::string_view json, simdjson::dom::parser& parser, simdjson::dom::element& out);

/// Whether it is one JSON text.
bool is_json(std::string_view text);

}  // namespace ringpost::cli
