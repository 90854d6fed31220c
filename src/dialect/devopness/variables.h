#pragma once

#include "api/problem.h"
#include "json/document.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::dialect::devopness {

enum class VariableType : uint8_t { string, integer, array, boolean };

std::string_view name(VariableType type);
std::optional<VariableType> parse_variable_type(std::string_view text);

/// One of an incoming hook's variables: what it takes out of a call's body.
struct Variable {
  static constexpr size_t name_bytes_max = 128;

  std::string name;  ///< Of name characters, so that templates can say it.
  std::string path;  ///< Where it is in the body; empty: at its name.
  VariableType type{};
  bool required = false;
  std::string default_value;  ///< JSON; empty: there is none.

  friend bool operator==(const Variable&, const Variable&) = default;
};

inline constexpr size_t variables_max = 64;
/// All values of a call together, as JSON: several variables can take the same part of a body.
inline constexpr size_t variables_bytes_max = 256 * 1024;

/// The value at a place as a variable of this type has it, in JSON: an integer also from its
/// decimal digits, a boolean from its text, a string from a number or a boolean. Nothing if the
/// value is of another kind.
std::optional<std::string> convert(VariableType type, const json::Found& found);

/// Reads the variables out of a call's body: an object of all of them in their order, null for what
/// is absent without a default. `body` is JSON and assigned.
/// @returns the object, or the first variable that is missing, of another type or too long.
std::variant<std::string, api::Problem> read_variables(const std::vector<Variable>& variables,
                                                       json::Document& body);

}  // namespace ringpost::dialect::devopness
