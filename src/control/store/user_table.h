#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/ulid.h"
#include "control/store/sealer.h"
#include "control/store/sqlite.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// A person who signs in to the console with a password.
struct User {
  uint32_t number = 0;
  Ulid id;
  std::string organization;
  std::string name;  ///< Unique in the organization.
  uint8_t scopes = 0;
  std::vector<std::string> sources;  ///< As subscription::Token::sources.
  std::string password;              ///< Its hash: a text of crypto::PasswordHash.
  bool enabled = true;
  WallTime created_at{};
  WallTime updated_at{};
};

/// Names of the columns of `user` that hold sealed values, as `sealed_webhook_columns`.
std::span<const std::string_view> sealed_user_columns();
/// As `webhook_place`.
inline Sealer::Place user_place(std::string_view column, std::string_view id) {
  return {.table = "user", .column = column, .row = id};
}

/// The table `user` of the control store. Part of Store: see there for threads and durability.
class UserTable {
 public:
  /// @param sealer  outlives this.
  Result<void> prepare(Database& database, const Sealer& sealer);

  /// Assigns `user.number`, from 1 to 2^31 - 1.
  Result<void> insert(User& user);
  /// By number. Nothing happens if there is none.
  Result<void> update(const User& user);
  Result<void> remove(uint32_t number);

  /// By rising number. @returns Errc::corrupt at a row that cannot be used.
  Result<void> load(const std::function<void(User&&)>& visit);

 private:
  Result<void> run(Statement& statement, const User& user);

  Database* database_ = nullptr;  // The store's; outlives this. So does the sealer.
  const Sealer* sealer_ = nullptr;
  Statement insert_;
  Statement update_;
  Statement remove_;
};

}  // namespace ringpost::control
