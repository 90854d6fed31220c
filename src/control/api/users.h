#pragma once

#include "base/prng.h"
#include "control/api/api.h"
#include "control/api/session.h"
#include "control/audit.h"
#include "control/password_gate.h"
#include "control/user_registry.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::control {

inline constexpr size_t user_name_bytes_max = 128;
inline constexpr size_t users_per_organization_max = 1'000;
/// Short passwords are guessed; beyond this any UTF-8 will do (NIST SP 800-63B, 3.1.1).
inline constexpr size_t password_characters_min = 12;

/// The operations of the management API on users, and what users do with their passwords. Blocks on
/// the store. What needs a password's hash is done in two calls: the first has no answer, and
/// PasswordGate has the verdict in the second.
///
/// As for tokens (TokenApi): an operator manages every organization's users, any other
/// administrator their own organization's, within their own sources.
class UserApi {
 public:
  /// Everything is borrowed.
  struct Parts {
    UserRegistry& users;
    PasswordGate& passwords;
    SessionApi& sessions;
    Audit& audit;
    Prng& random;
  };
  explicit UserApi(const Parts& parts);

  Answer create(const Call& call, Instant now);
  Answer list(const Call& call);
  Answer show(const Call& call) const;
  Answer update(const Call& call, Instant now);
  Answer remove(const Call& call);

  /// A session by name and password, of a call without a token.
  /// @param secure  as SessionApi::create.
  Answer sign_in(const Call& call, Instant now, bool secure);
  /// The caller's own password, by the one that they have.
  Answer change_own_password(const Call& call, Instant now);

 private:
  const User* find(const Call& call) const;
  Answer begin_session(const User& user, const Call& call, Instant now, bool secure);
  std::optional<Answer> hash(std::string_view password, const Call& call, Instant now,
                             std::string& text);
  Answer store(User user, const Call& call, Change change, bool ends_sessions);

  const Parts parts_;
  const std::string decoy_;
};

}  // namespace ringpost::control
