#pragma once

#include "api/problem.h"
#include "dialect/devopness/conditions.h"
#include "dialect/devopness/hook.h"
#include "dialect/devopness/template.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::dialect::devopness {

/// Names and values.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// A hook's templates and conditions, compiled.
struct CompiledHook {
  std::optional<Template> target_url;  ///< There for an outgoing hook.
  std::vector<std::pair<std::string, Template>> headers;
  std::optional<Template> body;
  Conditions conditions;
};
/// @param layout   how a Problem names members.
/// @param headers  of the webhook: they go out beside the hook's own, which replace them.
std::variant<CompiledHook, api::Problem> compile(const Hook& hook, Layout layout,
                                                 const Headers& headers);

/// The conditions alone, for hooks that send nothing.
std::variant<Conditions, api::Problem> compile_conditions(const Hook& hook);

}  // namespace ringpost::dialect::devopness
