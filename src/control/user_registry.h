#pragma once

#include "base/result.h"
#include "control/store/user_table.h"
#include "crypto/digest.h"
#include "subscription/table.h"
#include "subscription/token.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ringpost::control {

class Store;

/// All users as the management API sees them; kept in step with the store and the subscription
/// table. A change is in the store when the call returns, and in force everywhere with the next
/// publish (Publisher).
///
/// What a user may do is a token in the table, under a hash of which nobody has the text: sessions
/// begin with it, and find there what the user may do as of now. A user who is disabled has none.
class UserRegistry {
 public:
  UserRegistry(Store& store, subscription::SubscriptionTable& table)
      : store_(store), table_(table) {}

  /// Reads all of the store into the table. Call once; the table's next publish shows them.
  Result<void> load();

  /// The store gives the number; the id is the caller's. No two users of an organization have one
  /// name. Errors of these three are the store's.
  Result<const User*> create(User user);
  /// The name and the organization stay.
  Result<const User*> update(User user);
  Result<void> remove(const User& user);

  /// By its id in either spelling. nullptr if there is none. Valid until the user changes. Whoever
  /// asks for a caller looks at the user's organization.
  const User* find(const Ulid& id) const;
  const User* find(std::string_view organization, std::string_view name) const;
  /// Up to `count` users of an organization that `wanted` says yes to, older than `before`
  /// (nothing: the newest), newest first.
  std::vector<const User*> list(std::string_view organization, const std::optional<Ulid>& before,
                                size_t count, const std::function<bool(const User&)>& wanted) const;
  size_t count(std::string_view organization) const;

  /// What the user may do, as a token; the same hash for as long as the relay runs.
  subscription::Token token_of(const User& user) const;

 private:
  struct Names {
    std::map<Ulid, const User*> by_id;  // Sorts by age.
    std::map<std::string, const User*, std::less<>> by_name;
  };

  const User* put(User user);

  Store& store_;
  subscription::SubscriptionTable& table_;
  std::unordered_map<Ulid, User, UlidHash> users_;             // By Ulid::as_uuid.
  std::unordered_map<Ulid, crypto::Digest, UlidHash> hashes_;  // Likewise: of their tokens.
  std::map<std::string, Names, std::less<>> organizations_;
};

/// How the tokens of users are called: in the audit log, in lists of sessions. No other token's
/// name begins so.
inline constexpr std::string_view user_token_prefix = "user ";

}  // namespace ringpost::control
