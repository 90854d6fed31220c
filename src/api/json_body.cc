#include "api/json_body.h"

#include "json/fault.h"
#include "json/readable_copy.h"

#include <algorithm>
#include <utility>

namespace ringpost::api {

namespace dom = simdjson::dom;

namespace {

Problem malformed(std::string_view why) {
  return refusal(400, "the body is not a JSON object: " + std::string{why});
}

/// The name that an object holds twice, if any.
std::optional<std::string_view> twice(dom::object object) {
  std::vector<std::string_view> names;
  for (const auto [name, value] : object) names.push_back(name);
  std::sort(names.begin(), names.end());
  const auto found = std::adjacent_find(names.begin(), names.end());
  if (found == names.end()) return std::nullopt;
  return *found;
}

std::string at(std::string outer, const std::string& inner) {
  return outer.append(inner.starts_with('[') ? "" : ".").append(inner);
}

std::optional<std::string> find_twice(dom::object object, std::string_view passed_on);

/// Where in `value` an object names a member twice, as `a.b[2].c`.
std::optional<std::string> find_twice(dom::element value) {
  dom::array array;
  if (value.get(array) == simdjson::SUCCESS) {
    size_t index = 0;
    for (const dom::element item : array) {
      if (const auto inner = find_twice(item)) return at("[" + std::to_string(index) + "]", *inner);
      ++index;
    }
    return std::nullopt;
  }
  dom::object object;
  if (value.get(object) != simdjson::SUCCESS) return std::nullopt;
  return find_twice(object, {});
}

/// @param passed_on  the member that is not looked into; empty: none.
std::optional<std::string> find_twice(dom::object object, std::string_view passed_on) {
  if (const auto name = twice(object)) return std::string{*name};
  for (const auto [name, member] : object) {
    if (!passed_on.empty() && name == passed_on) continue;
    if (const auto inner = find_twice(member)) return at(std::string{name}, *inner);
  }
  return std::nullopt;
}

bool equal_objects(dom::object left, dom::object right) {
  if (left.size() != right.size()) return false;
  for (const auto [name, value] : left) {
    dom::element other;
    if (right.at_key(name).get(other) != simdjson::SUCCESS) return false;
    if (!equal_values(value, other)) return false;
  }
  return true;
}

bool equal_arrays(dom::array left, dom::array right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](dom::element one, dom::element other) { return equal_values(one, other); });
}

}  // namespace

bool equal_values(dom::element left, dom::element right) {
  if (left.is_object() && right.is_object()) {
    return equal_objects(left.get_object().value_unsafe(), right.get_object().value_unsafe());
  }
  if (left.is_array() && right.is_array()) {
    return equal_arrays(left.get_array().value_unsafe(), right.get_array().value_unsafe());
  }
  return simdjson::minify(left) == simdjson::minify(right);
}

bool equal_values(std::string_view left, std::string_view right) {
  if (left == right) return true;
  dom::parser left_parser;
  dom::parser right_parser;
  dom::element left_value;
  dom::element right_value;
  return left_parser.parse(left).get(left_value) == simdjson::SUCCESS &&
         right_parser.parse(right).get(right_value) == simdjson::SUCCESS &&
         equal_values(left_value, right_value);
}

std::optional<Problem> JsonBody::parse(std::string_view body, std::string_view passed_on) {
  body_ = body;
  document_.assign(body_);
  if (const auto fault = json::find_fault(body_, json::Document::depth_max)) {
    return malformed(json::describe(*fault, body_));
  }
  constexpr size_t levels_max = json::Document::depth_max + 1;  // A scalar is one for the DOM.
  const std::string copy = json::readable_copy(body_);
  dom::element element;
  simdjson::error_code error = parser_.allocate(std::max<size_t>(copy.size(), 64), levels_max);
  if (error == simdjson::SUCCESS) error = parser_.parse(copy).get(element);
  if (error != simdjson::SUCCESS) return malformed(simdjson::error_message(error));
  if (element.get(root_) != simdjson::SUCCESS) return malformed("it is a value of another kind");
  if (const auto place = find_twice(root_, passed_on)) {
    return refusal_of_member(400, *place, "is in the body twice; give it once");
  }
  return std::nullopt;
}

std::optional<Problem> JsonBody::parse_optional(std::string_view body, std::string_view passed_on) {
  return parse(body.empty() ? std::string_view{"{}"} : body, passed_on);
}

std::string_view JsonBody::spelled(std::string_view path) {
  return document_.spelled(json::Path::constant(path));
}

std::string JsonBody::compact(std::string_view path) {
  return std::string{document_.find(json::Path::constant(path)).text};
}

std::vector<std::string> member_names(dom::object object) {
  std::vector<std::string> names;
  for (const auto [name, value] : object) names.emplace_back(name);
  return names;
}

std::optional<Problem> read(dom::element value, std::string_view member, size_t bytes_max,
                            std::string& out) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) {
    double number = 0;
    const bool unreadable = value.is_double() && value.get(number) == simdjson::SUCCESS &&
                            number == json::unreadable_text_value;
    return invalid(member, unreadable ? "holds an unpaired surrogate" : "must be a string");
  }
  if (text.size() > bytes_max) {
    return invalid(member, "is longer than " + std::to_string(bytes_max) + " bytes");
  }
  out = text;
  return std::nullopt;
}

std::optional<Problem> read(dom::element value, std::string_view member, bool& out) {
  if (value.get(out) != simdjson::SUCCESS) return invalid(member, "must be true or false");
  return std::nullopt;
}

std::optional<Problem> read(dom::element value, std::string_view member, uint32_t low,
                            uint32_t high, uint32_t& out) {
  uint64_t number = 0;
  if (!value.is_uint64() || value.get(number) != simdjson::SUCCESS || number < low ||
      number > high) {
    return invalid(member, "must be a whole number from " + std::to_string(low) + " to " +
                               std::to_string(high));
  }
  out = static_cast<uint32_t>(number);
  return std::nullopt;
}

std::optional<Problem> read_array(dom::element value, std::string_view member, size_t items_max,
                                  dom::array& out) {
  if (value.get(out) != simdjson::SUCCESS) return invalid(member, "must be an array");
  if (out.size() > items_max) {
    return invalid(member, "has more than " + std::to_string(items_max) + " entries");
  }
  return std::nullopt;
}

std::optional<Problem> read_object(dom::element value, std::string_view member, dom::object& out) {
  if (value.get(out) != simdjson::SUCCESS) return invalid(member, "must be an object");
  return std::nullopt;
}

}  // namespace ringpost::api
