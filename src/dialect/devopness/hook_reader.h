#pragma once

#include "api/problem.h"
#include "dialect/devopness/hook.h"

#include <cstddef>
#include <optional>
#include <string_view>

namespace ringpost::dialect::devopness {

inline constexpr size_t hook_name_characters_max = 60;
inline constexpr size_t header_name_bytes_max = 256;
inline constexpr size_t header_value_characters_max = 4096;
inline constexpr size_t secret_header_name_bytes_max = 64;

/// Characters of a text in UTF-8.
size_t count_characters(std::string_view text);

/// Takes over what the JSON object `json` says of a hook: a member that is absent keeps its value,
/// null brings the default back, also inside `settings`; `trigger_when` is taken as a whole.
/// Members that are none of a hook's are not looked at. `hook.incoming` is the caller's.
/// @param shown  the hook as the client has read it, in the same layout: a member that says the
///               same is as good as absent. Empty: it was never read.
/// @returns the first member that breaks a rule; `hook` is half changed then.
std::optional<api::Problem> read_hook(std::string_view json, Layout layout, Hook& hook,
                                      std::string_view shown = {});

}  // namespace ringpost::dialect::devopness
