#include "subscription/webhook.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "base/uint128.h"

namespace ringpost::subscription {
namespace {

/// Public and fixed: it spreads endpoints over shards, and the same way after every restart. A
/// table that outsiders could overload by aiming at one place has a secret key instead (KeyedHash).
constexpr HashKey owner_key{0x72696e67706f7374, 0x6f776e6572736864};

/// Scheme, host and port, as every key of an endpoint begins.
std::string endpoint_name(const Destination& destination) {
  std::string name = destination.tls ? "https|" : "http|";
  name += destination.host;
  name += '|';
  name += std::to_string(destination.port);
  return name;
}

}  // namespace

std::string_view name(WebhookState state) {
  switch (state) {
    case WebhookState::active: return "active";
    case WebhookState::disabled: return "disabled";
    case WebhookState::broken: return "broken";
  }
  RINGPOST_UNREACHABLE();
}

std::optional<WebhookState> parse_webhook_state(std::string_view text) {
  for (const WebhookState state :
       {WebhookState::active, WebhookState::disabled, WebhookState::broken}) {
    if (name(state) == text) return state;
  }
  return std::nullopt;
}

std::string endpoint_key(const Webhook& webhook) {
  if (webhook.is_listener) return "listener|" + std::to_string(webhook.number);
  std::string key = endpoint_name(webhook.destination);
  if (!webhook.destination.tls) return key;  // Certificates mean nothing without TLS.
  key += webhook.tls_verify ? "|verify|" : "|trust|";
  // The certificates themselves, not a hash of them: a collision would let one customer's
  // deliveries ride on a connection that another customer's authority vouched for.
  key += webhook.tls_ca;
  return key;
}

uint32_t owner_shard(const Webhook& webhook, uint32_t shard_count) {
  RINGPOST_ASSERT(shard_count > 0);
  const uint64_t hash = siphash(owner_key, as_bytes(endpoint_name(webhook.destination)));
  return static_cast<uint32_t>((static_cast<Uint128>(hash) * shard_count) >> 64);
}

std::vector<uint32_t> default_schedule() {
  return {5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600};
}

}  // namespace ringpost::subscription
