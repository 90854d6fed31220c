#pragma once

#include "base/json_writer.h"
#include "dialect/devopness/hook.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::dialect::devopness {

/// Whether the credentials in a hook's headers are written, or stars in their place.
enum class Credentials : uint8_t { shown, starred };

/// The hook as Webhook::settings (shown) and the native API (starred) have it: what read_hook
/// reads.
void write_settings(JsonWriter& json, const Hook& hook, Credentials credentials);

/// How much of a hook the API shows. All but `created` have stars for a header's credential.
enum class Shape : uint8_t {
  relation,  ///< In lists: without what concerns the secret.
  full,      ///< With stars for the secret.
  named,     ///< With the secret: what the hook's own templates and conditions can name.
  created,   ///< With everything: the answer that made it.
};

/// Writes the object of the API.
/// @param base_url  what an incoming hook's URL begins with: scheme and authority.
void write_hook(JsonWriter& json, const subscription::Webhook& webhook, const Hook& hook,
                Shape shape, std::string_view base_url);

/// Whether the value of a request header is a credential that somebody wrote down: the header's
/// name speaks of one, and the value has fixed text. A template that an authentication scheme's
/// name at most goes before (`Bearer {{ application.source_provider.access_token }}`) has none.
bool holds_credential(std::string_view name, std::string_view value);

/// Puts what `before` holds in place of the stars that a client was shown and has sent back.
/// @param layout  how a Problem names members.
/// @returns what is wrong: stars for a header that `before` has not.
std::optional<api::Problem> restore_credentials(const Hook& before, Layout layout, Hook& hook);

}  // namespace ringpost::dialect::devopness
