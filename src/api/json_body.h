#pragma once

#include "api/problem.h"
#include "json/document.h"

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::api {

/// A request's body as one JSON object, read once and strictly. What is JSON is what it is for
/// events (json::Document): RFC 8259 in UTF-8, numbers of any size, json::Document::depth_max
/// levels. No object in it names a member twice: what can be read in two ways is refused.
///
/// simdjson's DOM knows fewer numbers and strings than RFC 8259, so it gets a copy of the body in
/// which each number without a fraction is in plain digits if it has 64 bits at most (`6e1` is
/// 60), and any other number, and a string with an unpaired surrogate, is a value that none of the
/// readings below takes. So what nobody reads does not matter, and what somebody reads is refused
/// by its name. No API reads fractions.
class JsonBody {
 public:
  /// @param passed_on  a top-level member whose inside nobody reads: names may be there twice.
  /// @returns what is wrong with the body, if anything.
  std::optional<Problem> parse(std::string_view body, std::string_view passed_on = {});
  /// Like parse, but an empty body is an empty object.
  std::optional<Problem> parse_optional(std::string_view body, std::string_view passed_on = {});

  /// Valid after a successful parse, for the life of this object.
  simdjson::dom::object root() const { return root_; }

  /// The bytes of the value at a path (json::Path) as they came; empty if there is none.
  std::string_view spelled(std::string_view path);
  /// The same without the white space between its tokens.
  std::string compact(std::string_view path);

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::object root_;
  std::string body_;
  json::Document document_;  ///< Of body_.
};

/// The names of an object's members, in their order.
std::vector<std::string> member_names(simdjson::dom::object object);

/// Whether two values say the same: members of objects may be in any order.
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
