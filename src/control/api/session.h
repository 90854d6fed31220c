#pragma once

#include "api/route.h"
#include "base/prng.h"
#include "control/api/api.h"
#include "control/api/authenticate.h"
#include "control/session_links.h"
#include "control/sessions.h"
#include "control/user_registry.h"

#include <string_view>
#include <variant>

namespace ringpost::control {

/// The key of the console's session, from the request's cookie; empty: there is none, or the
/// request has a token of its own, which counts.
std::string_view session_key(const http::Request& request);

/// The operations on the console's sessions. Changes nothing that is stored.
class SessionApi {
 public:
  /// @param random  for ids; what opens something comes from elsewhere. All are borrowed.
  SessionApi(const subscription::SubscriptionTable& table, const UserRegistry& users,
             Authenticator& authenticator, Prng& random)
      : table_(table), users_(users), authenticator_(authenticator), random_(random) {}

  /// Lets a request in by its session. Only the relay's own pages may use one: a browser adds the
  /// cookie to whatever another port of this host makes it send, too.
  /// @param key   of `session_key`.  @param from  where the request came from.
  /// @returns the session's token, valid until the table's next publish; 401 if the session is
  ///          over, 403 for another page or a token without the route's scope, 400 if there are two
  ///          cookies for a session.
  std::variant<const subscription::Token*, Problem> authenticate(const http::Request& request,
                                                                 std::string_view key,
                                                                 const api::Route& route,
                                                                 const io::Address& from,
                                                                 WallTime wall_now, Instant now);

  /// How long an event's id is known (ingest.idempotency_window): a session shows it.
  void set_idempotency_window(Duration window) { idempotency_window_ = window; }

  /// As Sessions::lasts.
  bool lasts(const crypto::Digest& key_sha256, Instant now) const {
    return sessions_.lasts(key_sha256, now);
  }

  /// A session of the token, for the browser that made the call; the answer sets the cookie.
  /// @param secure  as for `create`.
  Answer begin(const subscription::Token& token, const Call& call, Instant now, bool secure);
  /// Ends the sessions of the token, but that of a key (which may be empty).
  void end_all(const subscription::Token& token, std::string_view but_key) {
    sessions_.remove_all(token.sha256, but_key);
  }
  /// A session of the token that the call was made with; the answer sets the cookie.
  /// @param secure  the browser reached the relay over https, so that the cookie is for https.
  Answer create(const Call& call, Instant now, bool secure);
  /// A code that begins a session of the call's token, once (SessionLinks).
  Answer create_link(const Call& call, Instant now);
  /// A session by such a code, of a call without a token. A wrong code counts as a wrong token.
  Answer create_by_link(const Call& call, Instant now, bool secure);
  /// Who is signed in, or whose token it is.
  Answer show(const Call& call, Instant now);
  Answer remove(const Call& call);
  /// Of the call's token; for an administrator of every token that they may see.
  Answer list(const Call& call, Instant now);
  /// Ends one of those.
  Answer remove_one(const Call& call, Instant now);

 private:
  void write_session(JsonWriter& json, const subscription::Token& token, const Call& call,
                     const Sessions::Session* session, Instant now) const;
  const subscription::Token* token_of(const Sessions::Session& session, WallTime wall_now) const;

  const subscription::SubscriptionTable& table_;
  const UserRegistry& users_;
  Authenticator& authenticator_;
  Prng& random_;
  Sessions sessions_;
  SessionLinks links_;
  Duration idempotency_window_{};
};

}  // namespace ringpost::control
