// Goal: conditions hold exactly when the rules say so, whatever they and the event are. Method: the
// first line of the input is the conditions, the rest the event; the judge applies the rules one by
// one to simdjson's DOM, where numbers that are no integers have lost their spelling and are left
// alone.

#include "base/assert.h"
#include "dialect/devopness/conditions.h"
#include "dom_judge.h"
#include "fuzz.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace ringpost::dialect::devopness {
namespace {

namespace dom = simdjson::dom;

bool is_scalar(dom::element value) {
  return !value.is_array() && !value.is_object() && !value.is_null();
}

bool equals(dom::element accepted, std::optional<dom::element> value) {
  if (value && value->is_array()) {
    const dom::array array{*value};
    return std::any_of(array.begin(), array.end(),
                       [&](dom::element item) { return equals(accepted, item); });
  }
  if (accepted.is_null()) return !value || value->is_null();
  return value && is_scalar(*value) && is_scalar(accepted) && text_of(accepted) == text_of(*value);
}

/// `conditions` was accepted.
bool hold(dom::array conditions, std::optional<dom::element> event) {
  for (const dom::element condition : conditions) {
    const auto path = look_up(condition, json::Path::constant("path"));
    const auto accepted = look_up(condition, json::Path::constant("accepted_values"));
    RINGPOST_ASSERT(path && path->is_string());
    RINGPOST_ASSERT(accepted && accepted->is_array());
    const auto compiled = json::Path::parse(std::string_view{*path});
    RINGPOST_ASSERT(compiled.has_value());
    const auto value = event ? look_up(*event, *compiled) : std::nullopt;
    const dom::array values{*accepted};
    const auto equal = [&value](dom::element one) { return equals(one, value); };
    if (std::none_of(values.begin(), values.end(), equal)) return false;
  }
  return true;
}

void check(std::string_view conditions, std::string_view event) {
  static dom::parser conditions_judge;
  static dom::parser event_judge;
  static json::Document document;
  const auto result = Conditions::compile(conditions, {});
  if (const auto* problem = std::get_if<ConditionsProblem>(&result)) {
    RINGPOST_ASSERT(!problem->reason.empty());
    return;
  }
  document.assign(event);
  const bool holds = std::get<Conditions>(result).hold(document);
  dom::element root;
  if (conditions_judge.parse(std::string{conditions}).get(root) || has_fraction(root)) return;
  if (root.is_null()) return RINGPOST_ASSERT(holds);
  dom::element event_root;
  const auto error = event_judge.parse(std::string{event}).get(event_root);
  if (error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR) return;
  if (!error && has_fraction(event_root)) return;
  const auto judged = error ? std::nullopt : std::optional{event_root};
  RINGPOST_ASSERT(holds == hold(dom::array{root}, judged));
}

}  // namespace
}  // namespace ringpost::dialect::devopness

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const size_t line = std::min(input.find('\n'), size);
  ringpost::dialect::devopness::check(input.substr(0, line),
                                      input.substr(std::min(line + 1, size)));
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  return {
      R"([{"path":"a.b","accepted_values":[123,"x",null,true]}])"
      "\n"
      R"({"a":{"b":"123"}})",
      R"([{"path":"a","accepted_values":["b"]},{"path":"c.0","accepted_values":[null]}])"
      "\n"
      R"({"a":["a",["b"]],"c":[null],"d":{"a":1}})",
      R"([{"name":"n","type":"request_body","path":"sender.login","accepted_values":["ada"]}])"
      "\n"
      R"({"sender":{"login":"ada","login":"eve"}})",
      "null\n{}",
      R"([{"path":"a","accepted_values":["",false,-0]}])"
      "\n"
      R"({"a":0})",
  };
}
