#include "subscription/token.h"

#include "base/assert.h"
#include "subscription/patterns.h"

#include <algorithm>

namespace ringpost::subscription {

std::string_view name(Scope scope) {
  switch (scope) {  // No default: a new scope has to get a name, or the build warns.
    case Scope::events_write: return "events:write";
    case Scope::webhooks_read: return "webhooks:read";
    case Scope::webhooks_write: return "webhooks:write";
    case Scope::deliveries_read: return "deliveries:read";
    case Scope::deliveries_redeliver: return "deliveries:redeliver";
    case Scope::metrics_read: return "metrics:read";
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

bool Token::may_touch(std::string_view source) const {
  if (sources.empty()) return true;
  return std::any_of(sources.begin(), sources.end(),
                     [&](const std::string& pattern) { return source_matches(pattern, source); });
}

bool Token::restricted() const {
  return !sources.empty() && std::find(sources.begin(), sources.end(), "*") == sources.end();
}

bool Token::covers(const std::vector<std::string>& patterns) const {
  if (!restricted()) return true;
  if (patterns.empty()) return false;
  // A pattern, read as a source, matches those patterns that stand for all that it stands for:
  // `app/*` is of the kind `app`, and `*` is no one's but `*`'s.
  return std::all_of(patterns.begin(), patterns.end(),
                     [this](const std::string& pattern) { return may_touch(pattern); });
}

bool Token::has_hash(const std::array<uint8_t, 32>& other) const {
  uint8_t difference = 0;
  for (size_t index = 0; index < sha256.size(); ++index) {
    difference = static_cast<uint8_t>(difference | (sha256[index] ^ other[index]));
  }
  return difference == 0;
}

}  // namespace ringpost::subscription
