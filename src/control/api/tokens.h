#pragma once

#include "base/json_writer.h"
#include "base/prng.h"
#include "control/api/api.h"
#include "control/audit.h"
#include "control/token_registry.h"

#include <string_view>

namespace ringpost::control {

inline constexpr size_t token_name_bytes_max = 128;
inline constexpr size_t tokens_per_organization_max = 10'000;
inline constexpr uint32_t token_expires_in_s_max = 10 * 366 * 24 * 3600;

/// Names that begin so are given to tokens of people who log in (Login), and to no others.
inline constexpr std::string_view login_token_prefix = "login ";

/// A token as the API shows it.
/// @param text  the token's text, for the one answer that has it; empty: left out.
void write_token(JsonWriter& json, const subscription::Token& token, std::string_view text);

/// The operations of the management API on tokens. Blocks on the store.
///
/// An operator's token (Token::is_operator) manages every organization's; any other its own
/// organization's, and if it is restricted to some sources, those that are restricted to no others.
/// What it may not see it cannot tell from what is not there (404).
class TokenApi {
 public:
  TokenApi(TokenRegistry& registry, Prng& random) : registry_(registry), random_(random) {}

  /// The answer has the token's text, this once.
  Answer create(const Call& call);
  Answer list(const Call& call);
  Answer remove(const Call& call);

 private:
  TokenRegistry& registry_;
  Prng& random_;
};

/// `GET /v1/audit`. Blocks on the store.
Answer list_audit(const Call& call, Audit& audit);

}  // namespace ringpost::control
