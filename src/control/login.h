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
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
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
/// exchanged for the next pair. A verification takes about 0.2 s of a processor: so there are
/// bounds on failures and on verifications, and a thread beside the control thread may make them.
///
/// Guessing is slow, and yet nobody is locked out by another's guesses (reliability A-2). Failures
/// count against the source (an address, or the /64 of an IPv6 one), and against the user at that
/// source; beyond these, failures against the user from wherever hold back only a source that has
/// failed lately and from which the user has not logged in since the start. Logins from where the
/// user has been before have reserved verifications, so that strangers cannot use up all. Every
/// table has a bound.
///
/// An unknown user, a wrong password and a password that is too long take the same path: one
/// verification each, against somebody's hash, and one answer. So nobody learns who has an account.
/// (If users' hashes have different costs, an unknown email takes as long as some user's.) Where
/// a user has logged in from is known to nobody but who can send from there.
///
/// A refresh token is good once (RFC 9700, 4.14.2). It is stored as a token without a scope, under
/// the hash of its text together with the user's present password hash: so it opens nothing by
/// itself, and once the user is removed or has another password, no stored hash fits it any more.
class Login {
 public:
  static constexpr Duration token_life = std::chrono::hours(24);
  static constexpr Duration refresh_life = std::chrono::hours(30 * 24);
  static constexpr size_t logins_per_user_max = 20;         ///< The oldest goes.
  static constexpr uint32_t failures_per_minute = 5;        ///< Of a source.
  static constexpr uint32_t user_failures_per_minute = 30;  ///< Of all sources.
  static constexpr uint32_t verifications_per_second = 2;   ///< And as many from known sources.
  static constexpr uint32_t refreshes_per_minute = 10;      ///< Of a user.
  static constexpr uint32_t verifying_max = 16;             ///< At a time.
  static constexpr size_t known_sources_max = 32;  ///< Of a user; the longest unused one goes.
  static constexpr size_t password_bytes_max = 1024;

  /// Whether `password` is the one whose hash `text` is. Nothing: it is being found out, and the
  /// attempt is to be made again with the verdict.
  using Verify =
      std::function<std::optional<bool>(std::string_view password, std::string_view text)>;
  /// What became of a verification.
  struct Verdict {
    std::string text;  ///< The hash that the password was held against.
    bool right = false;
  };

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
    uint16_t status = 200;             ///< Of the answer to a success, for the audit log.
    const Verdict* verdict = nullptr;  ///< Of this attempt, made again.
  };

  struct Granted {
    std::string token;  ///< Its text, this once. Good when the change is published.
    WallTime expires_at{};
    std::string refresh_token;  ///< Likewise.
  };
  struct Refused {
    bool verifying = false;  ///< Not for good: make the attempt again with the verdict.
  };
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
  /// Hashes of who tries.
  struct Keys {
    uint64_t user = 0;
    std::optional<uint64_t> source;  ///< None: a Unix socket.
    uint64_t user_at_source = 0;
  };
  Keys keys_of(const Attempt& attempt) const;
  Duration wait(const Keys& keys, bool known, Instant now) const;
  void count_failure(const Keys& keys, Instant now);
  bool knows(const Keys& keys) const;
  void remember(const Keys& keys);
  std::variant<const LoginUser*, Refused> check(const Attempt& attempt);
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
  const Verify verify_;
  const HashKey key_;
  KeyedLimiter failures_by_user_;
  KeyedLimiter failures_by_source_;
  KeyedLimiter failures_by_user_at_source_;
  KeyedLimiter verifications_;
  uint32_t verifying_ = 0;  ///< Attempts that wait for their verdict.
  KeyedLimiter refreshes_;  ///< By user.
  /// By Keys::user, of those who have logged in: each Keys::user_at_source, the latest at the end.
  std::unordered_map<uint64_t, std::vector<uint64_t>> known_sources_;
};

}  // namespace ringpost::control
