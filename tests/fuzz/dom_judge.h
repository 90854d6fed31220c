#pragma once

#include "json/path.h"

#include <simdjson.h>

#include <cstdint>
#include <optional>

/// What simdjson's DOM, which keeps members in order, has at `path`: the last of members that stand
/// twice, at every level.
inline std::optional<simdjson::dom::element> look_up(simdjson::dom::element root,
                                                     const ringpost::json::Path& path) {
  std::optional<simdjson::dom::element> at = root;
  for (size_t index = 0; index < path.names_count() && at; ++index) {
    const simdjson::dom::element from = *at;
    at.reset();
    if (simdjson::dom::object object; from.get(object) == simdjson::SUCCESS) {
      for (const auto [name, value] : object) {
        if (name == path.name(index)) at = value;
      }
    } else if (simdjson::dom::array array;
               path.element(index) && from.get(array) == simdjson::SUCCESS) {
      uint32_t element = 0;
      for (const simdjson::dom::element value : array) {
        if (element++ == *path.element(index)) at = value;
      }
    }
  }
  return at;
}
