#pragma once

#include "base/keyed_limiter.h"
#include "base/prng.h"
#include "base/result.h"
#include "base/siphash.h"
#include "control/audit.h"
#include "control/token_registry.h"
#include "io/address.h"

#include <cstdint>
#include <functional>
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

/// Exchanges a configured user's password for a token that lives for a day. On the control thread,
/// which a verification stops for as long as scrypt takes (about 50 ms): so there are bounds on
/// failures for each user and each source, and on verifications in all.
///
/// An unknown user, a wrong password and a password that is too long take the same path: one
/// verification each, against somebody's hash, and one answer. So nobody learns who has an account.
/// (If users' hashes have different costs, an unknown email takes as long as some user's.)
class Login {
 public:
  static constexpr Duration token_life = std::chrono::hours(24);
  static constexpr size_t tokens_per_user_max = 20;  ///< The oldest goes.
  static constexpr uint32_t failures_per_minute = 5;
  static constexpr uint32_t verifications_per_second = 2;
  static constexpr size_t password_bytes_max = 1024;

  /// Whether `password` is the one whose hash `text` is.
  using Verify = std::function<bool(std::string_view password, std::string_view text)>;

  struct Parts {
    TokenRegistry& tokens;
    Audit& audit;
    Prng& random;  ///< For ids and hash keys; a token's text comes from elsewhere.
  };
  Login(const Parts& parts, std::vector<LoginUser> users, Verify verify);

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
  };
  struct Refused {};
  struct Throttled {
    uint32_t retry_after_s = 1;
  };
  /// An Error is the store's.
  std::variant<Granted, Refused, Throttled, Error> attempt(const Attempt& attempt);

 private:
  const LoginUser* check(const Attempt& attempt);
  std::variant<Granted, Refused, Throttled, Error> grant(const LoginUser& user,
                                                         const Attempt& attempt);
  Result<void> make_room(const LoginUser& user, const std::string& name,
                         const subscription::Token& by, const Attempt& attempt);
  void record(const subscription::Token& by, std::string_view operation,
              const subscription::Token& object, const Attempt& attempt);

  Parts parts_;
  std::vector<LoginUser> users_;
  const Verify verify_;
  const HashKey key_;
  KeyedLimiter failures_by_user_;
  KeyedLimiter failures_by_source_;
  KeyedLimiter verifications_;
};

}  // namespace ringpost::control
