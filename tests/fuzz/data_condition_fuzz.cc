// Goal: a condition holds exactly when its description says so, whatever it and the event are.
// Method: the first line of the input is the condition, the rest the event; the judge applies the
// description to simdjson's DOM, where numbers with a fraction have lost their spelling and are
// left alone.

#include "base/assert.h"
#include "dom_judge.h"
#include "fuzz.h"
#include "subscription/data_condition.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace ringpost::subscription {
namespace {

namespace dom = simdjson::dom;

using Value = std::optional<dom::element>;

bool is_missing(const Value& value) {
  return !value || value->is_null();
}

bool equals(dom::element accepted, const Value& value) {
  if (accepted.is_null()) return is_missing(value);
  if (is_missing(value) || value->is_array() || value->is_object()) return false;
  return text_of(accepted) == text_of(*value);
}

bool in_bound(std::string_view name, double bound, double number) {
  if (name == "at_least") return number >= bound;
  if (name == "at_most") return number <= bound;
  return name == "above" ? number > bound : number < bound;
}

bool accepts(std::string_view name, dom::element wanted, const Value& value) {
  if (name == "equals") return equals(wanted, value);
  if (name == "in") {
    const dom::array values{wanted};
    return std::any_of(values.begin(), values.end(),
                       [&](dom::element one) { return equals(one, value); });
  }
  if (name == "prefix") {
    return value && value->is_string() &&
           std::string_view{*value}.starts_with(std::string_view{wanted});
  }
  double number = 0;
  return value && value->get(number) == simdjson::SUCCESS && in_bound(name, double{wanted}, number);
}

/// Whether one value is all that is wanted; of an array, one in it.
bool accepts_all(dom::object test, const Value& value) {
  if (value && value->is_array()) {
    const dom::array array{*value};
    return std::any_of(array.begin(), array.end(),
                       [&](dom::element item) { return accepts_all(test, item); });
  }
  return std::all_of(test.begin(), test.end(), [&](const auto& member) {
    return member.key == "path" || member.key == "exists" ||
           accepts(member.key, member.value, value);
  });
}

bool test_holds(dom::object test, const Value& root) {
  const auto path = json::Path::parse(std::string_view{dom::element{test["path"]}});
  RINGPOST_ASSERT(path.has_value());
  const Value value = root ? look_up(*root, *path) : std::nullopt;
  bool exists = false;
  const bool asks_exists = test["exists"].get(exists) == simdjson::SUCCESS;
  if (asks_exists && exists == is_missing(value)) return false;
  return (asks_exists && test.size() == 2) || accepts_all(test, value);
}

bool holds(dom::element condition, const Value& root) {
  const dom::object object{condition};
  const auto part_holds = [&root](dom::element part) { return holds(part, root); };
  dom::array parts;
  if (object["path"].error() == simdjson::SUCCESS) return test_holds(object, root);
  if (object["all"].get(parts) == simdjson::SUCCESS) {
    return std::all_of(parts.begin(), parts.end(), part_holds);
  }
  if (object["any"].get(parts) == simdjson::SUCCESS) {
    return std::any_of(parts.begin(), parts.end(), part_holds);
  }
  return !holds(dom::element{object["not"]}, root);
}

/// Beyond this a double, with which the judge counts, is not exact.
bool has_large_number(std::string_view json) {
  size_t digits = 0;
  for (const char byte : json) {
    digits = byte >= '0' && byte <= '9' ? digits + 1 : 0;
    if (digits > 15) return true;
  }
  return false;
}

void check(std::string_view condition, std::string_view event) {
  static dom::parser condition_judge;
  static dom::parser event_judge;
  static json::Document document;
  const auto compiled = DataCondition::compile(condition);
  if (const auto* problem = std::get_if<DataConditionProblem>(&compiled)) {
    RINGPOST_ASSERT(!problem->reason.empty());
    return;
  }
  document.assign(event);
  const bool held = std::get<DataCondition>(compiled).holds(document);
  dom::element wanted;
  dom::element root;
  if (has_large_number(condition) || has_large_number(event)) return;
  if (condition_judge.parse(std::string{condition}).get(wanted) || has_fraction(wanted)) return;
  if (names_twice(wanted)) return;
  const auto error = event_judge.parse(std::string{event}).get(root);
  if (error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR) return;
  if (!error && has_fraction(root)) return;
  RINGPOST_ASSERT(held == holds(wanted, error ? std::nullopt : std::optional{root}));
}

}  // namespace
}  // namespace ringpost::subscription

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const size_t line = std::min(input.find('\n'), size);
  ringpost::subscription::check(input.substr(0, line), input.substr(std::min(line + 1, size)));
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  return {
      R"({"path":"a.b","in":[123,"x",null,true]})"
      "\n"
      R"({"a":{"b":"123"}})",
      R"({"all":[{"path":"a","prefix":"b"},{"any":[{"path":"c.0","exists":true},{"not":{"path":"d","above":3}}]}]})"
      "\n"
      R"({"a":["a",["bc"]],"c":[null],"d":4})",
      R"({"path":"n","at_least":1,"below":10,"exists":true})"
      "\n"
      R"({"n":[0,10,[7]]})",
      R"({"not":{"path":"x","equals":null}})"
      "\n{}",
      R"({"path":"e","exists":false})"
      "\n"
      R"({"e":null})",
  };
}
