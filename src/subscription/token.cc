#include "subscription/token.h"

#include "base/assert.h"

namespace ringpost::subscription {

std::string_view name(Scope scope) {
  switch (scope) {
    case Scope::events_write: return "events:write";
    case Scope::webhooks_read: return "webhooks:read";
    case Scope::webhooks_write: return "webhooks:write";
    case Scope::deliveries_read: return "deliveries:read";
    case Scope::deliveries_redeliver: return "deliveries:redeliver";
    case Scope::admin: return "admin";
  }
  RINGPOST_UNREACHABLE();
}

std::optional<Scope> parse_scope(std::string_view text) {
  for (const Scope scope : all_scopes) {
    if (name(scope) == text) return scope;
  }
  return std::nullopt;
}

}  // namespace ringpost::subscription
