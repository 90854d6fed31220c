#pragma once

#include "base/prng.h"
#include "base/result.h"
#include "subscription/table.h"
#include "subscription/token.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ringpost::control {

class Store;

/// All tokens as the management API sees them; the store and the subscription table hold them too,
/// and this class keeps the three in step. A change is in the store when the call returns, and in
/// force everywhere with the next publish (Publisher).
class TokenRegistry {
 public:
  TokenRegistry(Store& store, subscription::SubscriptionTable& table)
      : store_(store), table_(table) {}

  /// One token that the store gave at start.
  void add_loaded(subscription::Token&& token);

  /// The store gives the number; the id is the caller's. Errors of these are the store's.
  Result<const subscription::Token*> create(subscription::Token token);
  /// With the token that was granted beside it, if there is one (`companion_of`).
  Result<void> remove(const Ulid& id);

  /// By its id in either spelling. nullptr if there is none. Valid until the token is removed.
  /// Whoever asks for a caller looks at the token's organization.
  const subscription::Token* find(const Ulid& id) const;

  /// By its hash, if it is in force; nullptr if there is none.
  const subscription::Token* find_by_hash(const std::array<uint8_t, 32>& sha256) const;

  /// Up to `count` tokens of an organization that `wanted` says yes to, older than `before`
  /// (nothing: the newest), newest first.
  std::vector<const subscription::Token*> list(
      std::string_view organization, const std::optional<Ulid>& before, size_t count,
      const std::function<bool(const subscription::Token&)>& wanted) const;
  /// How many tokens an organization has.
  size_t count(std::string_view organization) const;

  /// Whether this is the only token with which the relay can be operated for good.
  bool is_last_operator(const subscription::Token& token) const {
    return lasting_operator(token) && operators_ == 1;
  }

  /// Removes up to 100 tokens that had expired at `now`: they are refused anyway, so this is
  /// tidying, and needs a clock that can be believed. @returns how many went; errors as `remove`.
  Result<size_t> remove_expired(WallTime now);
  bool any_expires() const { return !expiring_.empty(); }

 private:
  static bool lasting_operator(const subscription::Token& token) {
    return token.is_operator() && !token.expires_at;
  }
  void forget(const subscription::Token& token);

  Store& store_;
  subscription::SubscriptionTable& table_;
  std::unordered_map<Ulid, subscription::Token, UlidHash> tokens_;  // By Ulid::as_uuid.
  std::map<std::string, std::set<Ulid>, std::less<>> ids_;  // By organization; sorts by age.
  std::set<std::pair<WallTime, Ulid>> expiring_;
  size_t operators_ = 0;
};

/// The id of the token that a login grants beside one of this id: a token to work with, and one to
/// refresh it, go together.
Ulid companion_of(const Ulid& id);

/// A fresh token: its record with id, hash and time of creation, and its text, which is nowhere
/// else.
struct MintedToken {
  subscription::Token token;
  std::string text;  ///< `rp_` and 256 random bits.
};
MintedToken mint_token(WallTime now, Prng& random);

}  // namespace ringpost::control
