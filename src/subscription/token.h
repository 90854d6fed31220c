#pragma once

#include "base/clock.h"
#include "base/ulid.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::subscription {

/// What a token may do; bits of Token::scopes.
enum class Scope : uint8_t {
  events_write = 1,
  webhooks_read = 2,
  webhooks_write = 4,
  deliveries_read = 8,
  deliveries_redeliver = 16,
  admin = 32,         ///< Everything, tokens included.
  metrics_read = 64,  ///< GET /metrics, and nothing else.
};

inline constexpr std::array all_scopes{Scope::events_write,
                                       Scope::webhooks_read,
                                       Scope::webhooks_write,
                                       Scope::deliveries_read,
                                       Scope::deliveries_redeliver,
                                       Scope::metrics_read,
                                       Scope::admin};

/// As the API and people spell it: `events:write`.
std::string_view name(Scope scope);
std::optional<Scope> parse_scope(std::string_view text);

/// The organization whose administrators run the relay: see Token::is_operator.
inline constexpr std::string_view operator_organization = "default";

/// A credential as the store keeps it: the hash, never the token.
struct Token {
  uint32_t number = 0;
  Ulid id;
  std::string name;
  std::string organization{operator_organization};
  uint8_t scopes = 0;
  std::array<uint8_t, 32> sha256{};  ///< Of the token's text.
  WallTime created_at{};
  std::vector<std::string> sources;    ///< As Webhook::sources, to stay within; empty: all.
  std::optional<WallTime> expires_at;  ///< Good before it; nothing: until it is deleted.

  bool allows(Scope scope) const {
    return (scopes & (static_cast<uint8_t>(scope) | static_cast<uint8_t>(Scope::admin))) != 0;
  }
  /// Whether it may give these scopes to another token.
  bool may_give(uint8_t others) const {
    return allows(Scope::admin) || (others & static_cast<uint8_t>(~scopes)) == 0;
  }
  bool expired(WallTime now) const { return expires_at && now >= *expires_at; }

  /// Whether it may send, or see, events of this source.
  bool may_touch(std::string_view source) const;
  /// Whether every source that these patterns match may be touched. No pattern at all means
  /// all sources, as in a token.
  bool covers(const std::vector<std::string>& patterns) const;
  /// Whether there is a source that it may not touch.
  bool restricted() const;

  /// An administrator of the whole relay: it may manage every organization's tokens.
  bool is_operator() const {
    return allows(Scope::admin) && organization == operator_organization && !restricted();
  }

  /// The figures are those of the whole relay, all organizations together.
  bool may_read_metrics() const {
    return allows(Scope::metrics_read) && organization == operator_organization && !restricted();
  }

  /// Whether it is the token of this hash, in a time that does not depend on where they differ.
  bool has_hash(const std::array<uint8_t, 32>& other) const;
};

}  // namespace ringpost::subscription
