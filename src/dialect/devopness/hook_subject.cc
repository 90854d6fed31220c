#include "dialect/devopness/hook_subject.h"

#include "dialect/devopness/names.h"
#include "http/syntax.h"

#include <algorithm>

namespace ringpost::dialect::devopness {

std::string source_of(const Hook& hook) {
  if (hook.pipeline_id) return "pipeline/" + std::to_string(*hook.pipeline_id);
  if (hook.resource_type.empty() || hook.resource_id == 0) return {};
  return "resource/" + hook.resource_type + "/" + std::to_string(hook.resource_id);
}

std::optional<Subject> subject_of(std::string_view source) {
  const auto take = [&](std::string_view kind) {
    if (!source.starts_with(kind)) return false;
    source.remove_prefix(kind.size());
    return true;
  };
  const auto id_in = [](std::string_view text) -> std::optional<int64_t> {
    const auto id = http::parse_decimal(text);
    if (!id || *id == 0 || *id > static_cast<uint64_t>(id_max) || text.front() == '0') {
      return std::nullopt;
    }
    return static_cast<int64_t>(*id);
  };
  if (take("pipeline/")) {
    const auto id = id_in(source);
    return id ? std::optional{Subject{.pipeline_id = id}} : std::nullopt;
  }
  if (!take("resource/")) return std::nullopt;
  const std::string_view type = source.substr(0, source.find('/'));
  if (std::ranges::find(resource_types, type) == resource_types.end()) return std::nullopt;
  if (type.size() == source.size()) return std::nullopt;
  const auto id = id_in(source.substr(type.size() + 1));
  if (!id) return std::nullopt;
  return Subject{.resource_type = std::string{type}, .resource_id = *id};
}

}  // namespace ringpost::dialect::devopness
