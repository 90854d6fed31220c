#pragma once

#include "base/counters.h"
#include "base/keyed_limiter.h"
#include "base/prng.h"
#include "base/siphash.h"
#include "control/password_checks.h"
#include "io/address.h"
#include "subscription/token.h"

#include <cstddef>
#include <cstdint>
#include <deque>
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
/// Nobody is locked out by another's guesses (reliability A-2). An attempt is known if the user has
/// signed in from that source (an address, or the /64 of an IPv6 one) since the start. Failures
/// count against the user at the source. Those of others there, and failures against the user from
/// wherever, hold back only who is not known (the latter only where somebody has failed lately).
///
/// Each kind of work has places of its own, and what an organization has of them is bounded: so no
/// number of strangers, and no organization, keeps others out. How often there may be one is a
/// share of the thread's time, by what the last ones took: a slow machine does not fall behind.
/// Every table has a bound.
///
/// An unknown user, a wrong password and a user who may not sign in take the same path: one
/// verification each, and one answer. So nobody learns who there is. Where a user has signed in
/// from is known to nobody but who can send from there.
class PasswordGate {
 public:
  static constexpr uint32_t failures_per_minute = 5;        ///< Of a source.
  static constexpr uint32_t user_failures_per_minute = 30;  ///< Of all sources.
  /// Of all strangers, and of each known user at a source; fewer if they take long.
  static constexpr uint32_t verifications_per_second = 2;
  static constexpr uint32_t hashes_at_once = 10;  ///< Of an organization; then two a second.
  /// Calls that wait, at a time, of each kind: strangers' attempts, known ones of the operator's
  /// organization and of others, hashes for operators and for others.
  static constexpr uint32_t working_of_kind_max = 3;
  static constexpr uint32_t working_of_organization_max = 2;  ///< Of a kind; not the operator's.
  static constexpr size_t known_sources_max = 32;  ///< Of a user; the longest unused one goes.

  /// Works on passwords (the ticket is nobody's). Nothing: it is being done, and the call is to be
  /// made again with the verdict.
  using Work = std::function<std::optional<PasswordVerdict>(PasswordWanted&& wanted)>;

  /// @param random  for hash keys.  @param counters  the control thread's own; borrowed.
  PasswordGate(Prng& random, Counters& counters, Work work);

  /// A call begins. @param verdict  what came of the password in it, if it is made again because of
  /// that; or null. Outlives the call.
  /// Verdicts come in the order in which they were asked for.
  void begin(const PasswordVerdict* verdict, Instant now);

  struct Attempt {
    std::string_view user;  ///< Who it is said to be; ASCII letters in any case.
    std::string_view organization = subscription::operator_organization;  ///< Theirs.
    bool signed_in = false;  ///< The call is of a session of theirs: no stranger's.
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

  struct NewPassword {
    std::string_view password;
    std::string_view organization;  ///< Whose token it is that gives it.
    bool by_operator = false;
    Instant now{};
  };
  /// The hash of a password that somebody gives a user: `right`, `working` or `throttled`.
  Result hash(const NewPassword& given);

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
  /// Whose work it is: each has places of its own.
  enum class Kind : uint8_t { stranger, known, known_operator, hash, operator_hash };
  struct Place {
    Kind kind{};
    uint64_t organization = 0;  ///< Its key.
    Instant since{};
  };
  Keys keys_of(const Attempt& attempt) const;
  Place place_of(const Attempt& attempt, bool known) const;
  Duration wait(const Keys& keys, bool known, Instant now) const;
  bool has_room(const Place& place) const;
  void measure(const Place& done, Instant now);
  Duration time_of_next(uint32_t share) const;
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
  KeyedLimiter hashes_;        ///< By organization.
  std::deque<Place> working_;  ///< Of calls that wait for their verdict, in the order of these.
  Instant measured_at_{};      ///< When the last verdict came.
  Duration usual_time_{};      ///< That one takes, by the last ones.
  const PasswordVerdict* verdict_ = nullptr;
  /// By Keys::user, of those who have signed in: each Keys::user_at_source, the latest at the end.
  std::unordered_map<uint64_t, std::vector<uint64_t>> known_sources_;
};

/// For `Retry-After`.
uint32_t to_seconds_up(Duration wait);

}  // namespace ringpost::control
