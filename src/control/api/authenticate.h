#pragma once

#include "api/problem.h"
#include "base/counters.h"
#include "http/authorization.h"
#include "http/message.h"
#include "net/failure_throttle.h"
#include "subscription/table.h"

#include <cstdint>
#include <string_view>
#include <variant>

namespace ringpost::control {

/// Why a request is not let in. Each API puts it into its own shape; whether a token is unknown,
/// expired or deleted is not told to them either.
struct AuthenticationFailure {
  enum class Reason : uint8_t {
    missing,     ///< No header Authorization: 401.
    unreadable,  ///< There is one, and no token of the API's form in it: 401.
    refused,     ///< A token that is not good: 401.
    throttled,   ///< One of the last two, and too many came from that address: 429.
    scope,       ///< A good token that may not do this: 403.
  };
  Reason reason = Reason::missing;
  uint32_t retry_after_s = 0;                      ///< Of `throttled`.
  subscription::Scope needed{};                    ///< Of `scope`.
  http::TokenForm form = http::TokenForm::bearer;  ///< What the API takes.
};

/// Lets requests to the management APIs in, the native one's and the dialects'.
class Authenticator {
 public:
  /// @param counters  the control thread's own. All are borrowed.
  Authenticator(const subscription::SubscriptionTable& table, Counters& counters,
                const HashKey& key)
      : table_(table), counters_(counters), throttle_(key) {}

  struct Question {
    const http::Request& request;
    const io::Address& peer;
    subscription::Scope scope;
    http::TokenForm form = http::TokenForm::bearer;
    std::string_view other_header{};  ///< See http::presented_token.
    WallTime wall_now{};
    Instant now{};
  };
  /// The token is looked at first and the throttle asked after it, so that a good one is never
  /// locked out.
  /// @returns the token, valid until the table's next publish.
  std::variant<const subscription::Token*, AuthenticationFailure> authenticate(
      const Question& question);

  /// Something that stands for a token was presented, and is not good: counts it against the peer.
  /// @returns `refused` or `throttled`.
  AuthenticationFailure refuse(const io::Address& peer, Instant now);

 private:
  const subscription::SubscriptionTable& table_;
  Counters& counters_;
  net::FailureThrottle throttle_;
};

/// What is wrong, for a dialect to put into its own shape.
api::Problem authentication_problem(const AuthenticationFailure& failure);

/// The native API's words: a problem, with WWW-Authenticate (RFC 6750, 3) or Retry-After.
http::Response authentication_response(const AuthenticationFailure& failure);

}  // namespace ringpost::control
