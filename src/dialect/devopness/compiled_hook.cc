#include "dialect/devopness/compiled_hook.h"

#include "dialect/devopness/names.h"
#include "dialect/devopness/template_compiler.h"

#include <span>
#include <string_view>

namespace ringpost::dialect::devopness {

using api::invalid;

std::variant<CompiledHook, api::Problem> compile(const Hook& hook, Layout layout) {
  const auto roots = roots_for(hook.resource_type);
  const std::string inner = layout == Layout::api ? "settings." : "";
  TemplateCompiler compiler{roots};
  CompiledHook made;
  if (!hook.incoming) {
    auto url = compiler.target_url(hook.target_url);
    if (auto* problem = std::get_if<TemplateProblem>(&url)) {
      return invalid("target_url", problem->reason);
    }
    made.target_url = std::get<Template>(std::move(url));
  }
  for (const auto& [name, value] : hook.request_headers) {
    auto header = compiler.header(value);
    if (auto* problem = std::get_if<TemplateProblem>(&header)) {
      return invalid(inner + "request_headers." + std::to_string(made.headers.size()) + ".value",
                     problem->reason);
    }
    made.headers.emplace_back(name, std::get<Template>(std::move(header)));
  }
  if (!hook.request_body.empty()) {
    auto body = compiler.body(hook.request_body);
    if (auto* problem = std::get_if<TemplateProblem>(&body)) {
      return invalid(inner + "request_body", problem->reason);
    }
    made.body = std::get<Template>(std::move(body));
  }
  if (!hook.conditions.empty()) {
    auto conditions = Conditions::compile(
        hook.conditions, hook.incoming ? std::span<const std::string_view>{} : roots);
    if (auto* problem = std::get_if<ConditionsProblem>(&conditions)) {
      const std::string dot = problem->member.empty() ? "" : ".";
      return invalid("trigger_when.conditions" + dot + problem->member, problem->reason);
    }
    made.conditions = std::get<Conditions>(std::move(conditions));
  }
  return made;
}

}  // namespace ringpost::dialect::devopness
