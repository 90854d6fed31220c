#pragma once

#include "api/problem.h"

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::api {

/// A request's body as one JSON object, read once and strictly: all of it is valid JSON of bounded
/// depth, and no object in it names a member twice (what can be read in two ways is refused,
/// reliability rule 6).
class JsonBody {
 public:
  static constexpr size_t depth_max = 64;

  /// @returns what is wrong with the body, if anything.
  std::optional<Problem> parse(std::string_view body);
  /// Like parse, but an empty body is an empty object.
  std::optional<Problem> parse_optional(std::string_view body);

  /// Valid after a successful parse, for the life of this object.
  simdjson::dom::object root() const { return root_; }

  /// The bytes of a top-level member's value, an object, as they came; empty if there is none, or
  /// if its name is spelled with escapes.
  std::string raw_object(std::string_view name) const;

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::object root_;
  simdjson::padded_string body_;
};

/// The names of an object's members, in their order.
std::vector<std::string> member_names(simdjson::dom::object object);

/// Whether two values say the same: members of objects may stand in any order.
bool equal_values(simdjson::dom::element left, simdjson::dom::element right);
/// The same of two JSON texts. What cannot be parsed is equal only to the same bytes.
bool equal_values(std::string_view left, std::string_view right);

// Typed readings of one member's value. Each returns what is wrong, naming `member`.

std::optional<Problem> read(simdjson::dom::element value, std::string_view member, size_t bytes_max,
                            std::string& out);
std::optional<Problem> read(simdjson::dom::element value, std::string_view member, bool& out);
/// A whole number from `low` to `high`.
std::optional<Problem> read(simdjson::dom::element value, std::string_view member, uint32_t low,
                            uint32_t high, uint32_t& out);
std::optional<Problem> read_array(simdjson::dom::element value, std::string_view member,
                                  size_t items_max, simdjson::dom::array& out);
std::optional<Problem> read_object(simdjson::dom::element value, std::string_view member,
                                   simdjson::dom::object& out);

}  // namespace ringpost::api
