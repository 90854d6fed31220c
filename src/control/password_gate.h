#pragma once

#include "base/counters.h"
#include "base/keyed_limiter.h"
#include "base/prng.h"
#include "base/siphash.h"
#include "control/password_checks.h"
#include "io/address.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ringpost::control {

/// Everything that works on passwords passes here, so that guessing is slow. A hash takes about 0.2
/// s of a processor: so there are bounds on failures and on verifications, and a thread beside the
/// control thread may make them.
///
/// Nobody is locked out by another's guesses (reliability A-2). Failures count against the source
/// (an address, or the /64 of an IPv6 one), and against the user at that source; beyond these,
/// failures against the user from wherever hold back only a source that has failed lately and from
/// which the user has not signed in since the start. Attempts from where the user has been before
/// have reserved verifications, so that strangers cannot use up all. Every table has a bound.
///
/// An unknown user, a wrong password and a user who may not sign in take the same path: one
/// verification each, and one answer. So nobody learns who there is. Where a user has signed in
/// from is known to nobody but who can send from there.
class PasswordGate {
 public:
  static constexpr uint32_t failures_per_minute = 5;        ///< Of a source.
  static constexpr uint32_t user_failures_per_minute = 30;  ///< Of all sources.
  static constexpr uint32_t verifications_per_second = 2;   ///< And as many from known sources.
  static constexpr uint32_t working_max = 16;               ///< Calls that wait, at a time.
  static constexpr size_t known_sources_max = 32;  ///< Of a user; the longest unused one goes.

  /// Works on passwords (the ticket is nobody's). Nothing: it is being done, and the call is to be
  /// made again with the verdict.
  using Work = std::function<std::optional<PasswordVerdict>(PasswordWanted&& wanted)>;

  /// @param random  for hash keys.  @param counters  the control thread's own; borrowed.
  PasswordGate(Prng& random, Counters& counters, Work work);

  /// A call begins. @param verdict  what came of the password in it, if it is made again because of
  /// that; or null. Outlives the call.
  void begin(const PasswordVerdict* verdict);

  struct Attempt {
    std::string_view user;  ///< Who it is said to be; ASCII letters in any case.
    std::string_view password;
    /// The user's hash; nothing: there is no such user, or they may not sign in.
    std::optional<std::string_view> text;
    /// What is verified in its place.
    std::string_view decoy;
    std::string_view next_password{};  ///< As PasswordWanted has it.
    const io::Address& peer;
    Instant now{};
  };
  enum class Outcome : uint8_t {
    right,
    wrong,
    working,    ///< Not for good: the call will be made again.
    throttled,  ///< Nothing was verified.
  };
  struct Result {
    Outcome outcome{};
    uint32_t retry_after_s = 1;  ///< Of `throttled`.
    std::string next_text;       ///< Of `right`.
  };
  Result attempt(const Attempt& attempt);

  /// The hash of a password that somebody gives a user: `right`, `working` or `throttled`.
  Result hash(std::string_view password);

  /// A number of one of `count`, always the same for this user.
  size_t pick(std::string_view user, size_t count) const;

  /// Of all sources, as `attempt` has them, and of other things that are guessed there.
  std::optional<uint64_t> source_key(const io::Address& peer) const;
  Duration wait_of_source(uint64_t source, Instant now) const {
    return failures_by_source_.wait(source, now);
  }
  void count_failure_of_source(uint64_t source, Instant now) {
    failures_by_source_.take(source, now);
  }
  /// The key of a user in tables of limits.
  uint64_t user_key(std::string_view user) const;

 private:
  /// Hashes of who tries.
  struct Keys {
    uint64_t user = 0;
    std::optional<uint64_t> source;  ///< None: a Unix socket.
    uint64_t user_at_source = 0;
  };
  Keys keys_of(const Attempt& attempt) const;
  Duration wait(const Keys& keys, bool known, Instant now) const;
  Result judge(const Attempt& attempt, const Keys& keys, const PasswordVerdict& verdict);
  Result throttle(Duration wait);
  void count_failure(const Keys& keys, Instant now);
  bool knows(const Keys& keys) const;
  void remember(const Keys& keys);

  Counters& counters_;
  const Work work_;
  const HashKey key_;
  KeyedLimiter failures_by_user_;
  KeyedLimiter failures_by_source_;
  KeyedLimiter failures_by_user_at_source_;
  KeyedLimiter verifications_;
  uint32_t working_ = 0;  ///< Calls that wait for their verdict.
  const PasswordVerdict* verdict_ = nullptr;
  /// By Keys::user, of those who have signed in: each Keys::user_at_source, the latest at the end.
  std::unordered_map<uint64_t, std::vector<uint64_t>> known_sources_;
};

/// For `Retry-After`.
uint32_t to_seconds_up(Duration wait);

}  // namespace ringpost::control
