#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "subscription/webhook.h"

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

/// What is looked up for one event.
struct EventKey {
  std::string_view organization;
  std::string_view source;
  std::string_view type;
};

/// One state of all subscriptions and tokens. Never changes once published.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  /// Grows by one with each publish.
  virtual uint64_t version() const = 0;
  /// Appends the active webhooks that want the event, each once, by rising number. Pointers live as
  /// long as the snapshot does for this reader (until its next `quiescent`).
  virtual void match(const EventKey& key, std::vector<const Webhook*>& out) const = 0;
  /// By number; nullptr if there is none (deleted). Also disabled and broken ones.
  virtual const Webhook* webhook(uint32_t number) const = 0;
  /// By the SHA-256 of its text; nullptr if there is none.
  virtual const Token* token(const std::array<uint8_t, 32>& sha256) const = 0;
};

}  // namespace ringpost::subscription
