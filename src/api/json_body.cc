#include "api/json_body.h"

#include "json/fault.h"

#include <algorithm>

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

/// Where in `value` an object names a member twice, as `a.b[2].c`. Goes at most `depth_max` deep.
std::optional<std::string> find_twice(dom::element value) {
  const auto at = [](std::string outer, const std::string& inner) {
    return outer.append(inner.front() == '[' ? "" : ".").append(inner);
  };
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
  if (const auto name = twice(object)) return std::string{*name};
  for (const auto [name, member] : object) {
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

std::optional<Problem> JsonBody::parse(std::string_view body) {
  body_ = simdjson::padded_string(body);
  if (const auto error = parser_.allocate(std::max<size_t>(body.size(), 64), depth_max)) {
    return malformed(simdjson::error_message(error));
  }
  dom::element element;
  const auto error = parser_.parse(body_).get(element);
  const bool marked = body.starts_with(json::byte_order_mark);  // Which simdjson passes over.
  if (error || marked) {
    const auto fault = json::find_fault(body, depth_max);
    return malformed(fault ? json::describe(*fault, body) : simdjson::error_message(error));
  }
  if (element.get(root_) != simdjson::SUCCESS) return malformed("it holds another kind of value");
  if (const auto place = find_twice(element)) {
    return refusal(400, "the body names a member twice", *place);
  }
  return std::nullopt;
}

std::optional<Problem> JsonBody::parse_optional(std::string_view body) {
  return parse(body.empty() ? std::string_view{"{}"} : body);
}

std::string JsonBody::raw_object(std::string_view name) const {
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  std::string_view raw;
  if (parser.iterate(body_).get(document) || document.find_field(name).get_object().get(object) ||
      object.raw_json().get(raw)) {
    return {};
  }
  return std::string{raw.substr(0, raw.rfind('}') + 1)};  // Without the white space behind it.
}

std::vector<std::string> member_names(dom::object object) {
  std::vector<std::string> names;
  for (const auto [name, value] : object) names.emplace_back(name);
  return names;
}

std::optional<Problem> read(dom::element value, std::string_view member, size_t bytes_max,
                            std::string& out) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return invalid(member, "must be a string");
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
