#pragma once

#include "json/path.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

inline std::string text_of(simdjson::dom::element scalar) {
  return scalar.is_string() ? std::string{std::string_view{scalar}} : simdjson::minify(scalar);
}

/// Whether a number in it is none of the integers: those have lost their spelling.
inline bool has_fraction(simdjson::dom::element value) {
  if (simdjson::dom::array array; value.get(array) == simdjson::SUCCESS) {
    return std::any_of(array.begin(), array.end(), has_fraction);
  }
  if (simdjson::dom::object object; value.get(object) == simdjson::SUCCESS) {
    return std::any_of(object.begin(), object.end(),
                       [](const auto& member) { return has_fraction(member.value); });
  }
  return value.is_double();
}

/// Whether an object in it has two members of one name.
inline bool names_twice(simdjson::dom::element value) {
  if (simdjson::dom::array array; value.get(array) == simdjson::SUCCESS) {
    return std::any_of(array.begin(), array.end(), names_twice);
  }
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) return false;
  std::vector<std::string_view> names;
  for (const auto [name, inner] : object) {
    if (names_twice(inner)) return true;
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}
