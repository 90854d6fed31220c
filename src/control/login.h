#pragma once

#include "base/keyed_limiter.h"
#include "base/prng.h"
#include "base/result.h"
#include "control/audit.h"
#include "control/password_gate.h"
#include "control/token_registry.h"
#include "io/address.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::control {

/// A person who may exchange a password for a token, as the configuration names them.
struct LoginUser {
  std::string email;        ///< Read without regard to ASCII case.
  std::string scrypt_text;  ///< The password's hash, with its parameters.
  std::string organization{subscription::operator_organization};
  uint8_t scopes = 0;  ///< Of the token.
};

/// Exchanges a configured user's password for a token that lives for a day, and one that can be
/// exchanged for the next pair. PasswordGate limits attempts, and tells nobody who has an account.
/// (If users' hashes have different costs, an unknown email takes as long as some user's.)
///
/// A refresh token is good once (RFC 9700, 4.14.2). It is stored as a token without a scope, under
/// the hash of its text together with the user's present password hash: so it opens nothing by
/// itself, and once the user is removed or has another password, no stored hash fits it any more.
class Login {
 public:
  static constexpr Duration token_life = std::chrono::hours(24);
  static constexpr Duration refresh_life = std::chrono::hours(30 * 24);
  static constexpr size_t logins_per_user_max = 20;     ///< The oldest goes.
  static constexpr uint32_t refreshes_per_minute = 10;  ///< Of a user.

  struct Parts {
    TokenRegistry& tokens;
    Audit& audit;
    Prng& random;  ///< For ids; a token's text comes from elsewhere.
    PasswordGate& passwords;
  };
  Login(const Parts& parts, std::vector<LoginUser> users);

  /// From now on. Tokens that were granted before stay.
  void set_users(std::vector<LoginUser> users) { users_ = std::move(users); }

  struct Attempt {
    std::string_view email;
    std::string_view password;
    const io::Address& peer;
    WallTime wall_now{};
    Instant now{};
    uint16_t status = 200;  ///< Of the answer to a success, for the audit log.
  };

  struct Granted {
    std::string token;  ///< Its text, this once. Good when the change is published.
    WallTime expires_at{};
    std::string refresh_token;  ///< Likewise.
  };
  struct Refused {};  ///< Or, if the password is being worked on, no answer at all.
  struct Throttled {
    uint32_t retry_after_s = 1;
  };
  /// An Error is the store's.
  using Result = std::variant<Granted, Refused, Throttled, Error>;
  Result attempt(const Attempt& attempt);

  struct Refresh {
    std::string_view token;
    const io::Address& peer;
    WallTime wall_now{};
    Instant now{};
    uint16_t status = 200;  ///< As Attempt::status.
  };
  /// Both tokens of the pair that is exchanged are gone then.
  Result refresh(const Refresh& refresh);

 private:
  /// The caller, for the audit log.
  struct Caller {
    const io::Address& peer;
    WallTime wall_now{};
    uint16_t status = 200;
  };
  Result grant(const LoginUser& user, const Caller& caller);
  ringpost::Result<std::string> grant_refresh(const LoginUser& user,
                                              const subscription::Token& beside);
  ringpost::Result<void> make_room(const LoginUser& user, const subscription::Token& by,
                                   const Caller& caller);
  const LoginUser* user_of(std::string_view refresh_token,
                           const subscription::Token*& stored) const;
  void record(const subscription::Token& by, std::string_view operation,
              const subscription::Token& object, const Caller& caller);

  Parts parts_;
  std::vector<LoginUser> users_;
  KeyedLimiter refreshes_;  ///< By user.
};

}  // namespace ringpost::control
