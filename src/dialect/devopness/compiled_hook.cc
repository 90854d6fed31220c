#include "dialect/devopness/compiled_hook.h"

#include "dialect/devopness/names.h"
#include "dialect/devopness/template_compiler.h"
#include "http/syntax.h"

#include <span>
#include <string_view>

namespace ringpost::dialect::devopness {

using api::invalid;
using api::refusal;

namespace {

/// The Content-Type that goes out, if somebody set one.
std::string_view content_type_of(const Hook& hook, const Headers& headers) {
  for (const Headers* some : {&hook.request_headers, &headers}) {
    for (const auto& [name, value] : *some) {
      if (http::equal_ignoring_case(name, "content-type")) return value;
    }
  }
  return {};
}

}  // namespace

std::variant<Conditions, api::Problem> compile_conditions(const Hook& hook) {
  if (hook.conditions.empty()) return Conditions{};
  const auto roots = roots_for(hook.resource_type);
  auto made = Conditions::compile(hook.conditions, hook.incoming
                                                       ? std::span<const std::string_view>{}
                                                       : std::span<const std::string_view>{roots});
  if (auto* problem = std::get_if<ConditionsProblem>(&made)) {
    const std::string dot = problem->member.empty() ? "" : ".";
    return invalid("trigger_when.conditions" + dot + problem->member, problem->reason);
  }
  return std::get<Conditions>(std::move(made));
}

std::variant<CompiledHook, api::Problem> compile(const Hook& hook, Layout layout,
                                                 const Headers& headers) {
  const auto roots = roots_for(hook.resource_type);
  const std::string inner = layout == Layout::api ? "settings." : "";
  TemplateCompiler compiler{roots};
  CompiledHook made;
  if (!hook.incoming) {
    auto url = compiler.target_url(hook.target_url);
    if (auto* problem = std::get_if<TemplateProblem>(&url)) {
      return refusal(422, problem->reason, "target_url");
    }
    made.target_url = std::get<Template>(std::move(url));
  }
  for (const auto& [name, value] : hook.request_headers) {
    auto header = compiler.header(value);
    if (auto* problem = std::get_if<TemplateProblem>(&header)) {
      return refusal(422, problem->reason,
                     inner + "request_headers." + std::to_string(made.headers.size()) + ".value");
    }
    made.headers.emplace_back(name, std::get<Template>(std::move(header)));
  }
  if (!hook.request_body.empty()) {
    const std::string_view content_type = content_type_of(hook, headers);
    if (content_type.find("{{") != std::string_view::npos) {
      return refusal(422, "the Content-Type must be fixed text: it decides how values are written",
                     inner + "request_headers");
    }
    auto body = compiler.body(hook.request_body, content_type);
    if (auto* problem = std::get_if<TemplateProblem>(&body)) {
      return refusal(422, problem->reason, inner + "request_body");
    }
    made.body = std::get<Template>(std::move(body));
  }
  auto conditions = compile_conditions(hook);
  if (auto* problem = std::get_if<api::Problem>(&conditions)) return std::move(*problem);
  made.conditions = std::get<Conditions>(std::move(conditions));
  return made;
}

}  // namespace ringpost::dialect::devopness
