#pragma once

#include "dialect/devopness/hook.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Whose a hook is: a pipeline's, or in the older form a resource's. Its events' source has that
// name.

namespace ringpost::dialect::devopness {

/// What the events of the hook's pipeline or resource are called by: `pipeline/33`,
/// `resource/application/44`. Empty if the hook names neither.
std::string source_of(const Hook& hook);

/// A pipeline or a resource.
struct Subject {
  std::optional<int64_t> pipeline_id{};
  std::string resource_type{};  ///< With its id, if there is no pipeline.
  int64_t resource_id = 0;
};
/// What a source is the name of, if `source_of` may have made it.
std::optional<Subject> subject_of(std::string_view source);

}  // namespace ringpost::dialect::devopness
