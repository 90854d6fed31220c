#pragma once

#include "base/json_writer.h"
#include "dialect/devopness/hook.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::dialect::devopness {

/// The hook as Webhook::settings and the native API have it: what read_hook reads.
void write_settings(JsonWriter& json, const Hook& hook);

/// How much of a hook the API shows.
enum class Shape : uint8_t {
  relation,  ///< In lists: without what concerns the secret.
  full,      ///< With `*****` for the secret.
  created,   ///< With the secret: in the answer that made it, and to the hook's own templates.
};

/// Writes the object of the API.
/// @param base_url  what an incoming hook's URL begins with: scheme and authority.
void write_hook(JsonWriter& json, const subscription::Webhook& webhook, const Hook& hook,
                Shape shape, std::string_view base_url);

/// What stands in a secret's place.
inline constexpr std::string_view stars = "*****";

}  // namespace ringpost::dialect::devopness
