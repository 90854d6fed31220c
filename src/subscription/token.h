#pragma once

#include "base/clock.h"
#include "base/ulid.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::subscription {

/// What a token may do; bits of Token::scopes.
enum class Scope : uint8_t {
  events_write = 1,
  webhooks_read = 2,
  webhooks_write = 4,
  deliveries_read = 8,
  deliveries_redeliver = 16,
  admin = 32,  ///< Everything, tokens included.
};

inline constexpr std::array all_scopes{Scope::events_write,         Scope::webhooks_read,
                                       Scope::webhooks_write,       Scope::deliveries_read,
                                       Scope::deliveries_redeliver, Scope::admin};

/// `events:write`, …: in requests, answers and configurations.
std::string_view name(Scope scope);
std::optional<Scope> parse_scope(std::string_view text);

/// A credential as the store keeps it: the hash, never the token.
struct Token {
  uint32_t number = 0;
  Ulid id;
  std::string name;
  std::string organization = "default";
  uint8_t scopes = 0;
  std::array<uint8_t, 32> sha256{};  ///< Of the token's text.
  WallTime created_at{};

  bool allows(Scope scope) const {
    return (scopes & (static_cast<uint8_t>(scope) | static_cast<uint8_t>(Scope::admin))) != 0;
  }
};

}  // namespace ringpost::subscription
