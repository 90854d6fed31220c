#pragma once

#include <simdjson.h>

#include <string>

namespace ringpost::githost {

/// A string's text, an integer in decimal; empty for anything else, or nothing.
inline std::string text_at(simdjson::dom::element value, const char* pointer) {
  simdjson::dom::element found;
  if (value.at_pointer(pointer).get(found)) return {};
  if (found.is_string()) return std::string{found.get_string().value_unsafe()};
  if (found.is_int64()) return std::to_string(found.get_int64().value_unsafe());
  return found.is_uint64() ? std::to_string(found.get_uint64().value_unsafe()) : std::string{};
}

}  // namespace ringpost::githost
