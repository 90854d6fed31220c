#include "cli/json.h"

#include "json/fault.h"
#include "json/readable_copy.h"

#include <cstdint>

namespace ringpost::cli {

bool parse_json(std::string_view json, simdjson::dom::parser& parser, simdjson::dom::element& out) {
  if (parser.parse(json).get(out) == simdjson::SUCCESS) return true;
  return is_json(json) && parser.parse(json::readable_copy(json)).get(out) == simdjson::SUCCESS;
}

bool is_json(std::string_view text) {
  constexpr uint32_t levels_max = simdjson::DEFAULT_MAX_DEPTH;  // Deeper than what a relay answers.
  return !json::find_fault(text, levels_max);
}

}  // namespace ringpost::cli
