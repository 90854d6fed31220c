#include "dialect/devopness/variables.h"

#include "base/json_writer.h"
#include "http/syntax.h"
#include "json/text.h"

#include <algorithm>
#include <array>

namespace ringpost::dialect::devopness {
namespace {

using json::Found;
using json::Kind;

constexpr std::array<std::string_view, 4> type_names{"string", "integer", "array", "boolean"};

std::string as_json_string(const Found& found) {
  std::string out;
  if (found.broken) return out.append(1, '"').append(found.text).append(1, '"');
  append_json_string(out, found.text);
  return out;
}

/// Decimal digits with an optional minus, as JSON spells the number: no leading zeros, no `-0`.
std::optional<std::string> integer_of(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || !std::ranges::all_of(text, http::is_digit)) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  std::string out{negative && text != "0" ? "-" : ""};
  return out.append(text);
}

std::string_view expected(VariableType type) {
  switch (type) {
    case VariableType::string: return "must be a string, a number or a boolean";
    case VariableType::integer: return "must be an integer, or a string of its digits";
    case VariableType::array: return "must be an array";
    case VariableType::boolean: return "must be true or false";
  }
  return {};
}

}  // namespace

std::string_view name(VariableType type) {
  return type_names[static_cast<size_t>(type)];
}

std::optional<VariableType> parse_variable_type(std::string_view text) {
  const auto found = std::ranges::find(type_names, text);
  if (found == type_names.end()) return std::nullopt;
  return static_cast<VariableType>(found - type_names.begin());
}

std::optional<std::string> convert(VariableType type, const Found& found) {
  const Kind kind = found.kind;
  switch (type) {
    case VariableType::string:
      if (kind == Kind::string || kind == Kind::integer || kind == Kind::number ||
          kind == Kind::boolean) {
        return as_json_string(found);
      }
      return std::nullopt;
    case VariableType::integer:
      if (kind == Kind::integer || kind == Kind::string) return integer_of(found.text);
      if (kind == Kind::number) return json::whole_number(found.text);
      return std::nullopt;
    case VariableType::array:
      if (kind == Kind::array) return std::string{found.text};
      return std::nullopt;
    case VariableType::boolean:
      if (kind != Kind::boolean && kind != Kind::string) return std::nullopt;
      if (found.text == "true" || found.text == "false") return std::string{found.text};
      return std::nullopt;
  }
  return std::nullopt;
}

std::variant<std::string, api::Problem> read_variables(const std::vector<Variable>& variables,
                                                       json::Document& body) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const Variable& variable : variables) {
    const std::string& path = variable.path.empty() ? variable.name : variable.path;
    const Found found = body.find(json::Path::constant(path));
    json.key(variable.name);
    if (found.kind == Kind::missing || found.kind == Kind::null) {
      if (!variable.default_value.empty()) {
        json.raw(variable.default_value);
      } else if (variable.required) {
        return api::invalid(variable.name, "is required: the body has nothing at " + path);
      } else {
        json.null();
      }
      continue;
    }
    const auto value = convert(variable.type, found);
    if (!value) return api::invalid(variable.name, expected(variable.type));
    json.raw(*value);
    if (out.size() > variables_bytes_max) {
      static_assert(variables_bytes_max == 256 * 1024, "the sentence says so");
      return api::invalid(variable.name, "makes all variables longer than 256 KiB");
    }
  }
  json.end_object();
  return out;
}

}  // namespace ringpost::dialect::devopness
