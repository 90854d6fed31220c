#pragma once

#include "base/clock.h"
#include "base/ulid.h"
#include "crypto/digest.h"
#include "io/address.h"
#include "subscription/token.h"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// Browsers that are signed in to the console. Each session was begun with a token and may do what
/// that token may: it ends with it, when it was not used for a while, and after a day's work. In
/// memory only: a restart of the relay ends all.
class Sessions {
 public:
  static constexpr Duration idle_max = std::chrono::hours(1);
  static constexpr Duration life_max = std::chrono::hours(12);
  /// Beyond these bounds the session that was used longest ago ends for the new one.
  static constexpr size_t per_token_max = 20;
  static constexpr size_t count_max = 10'000;

  struct Session {
    Ulid id;                        ///< Names it, and opens nothing.
    crypto::Digest token_sha256{};  ///< Token::sha256: names the token as long as it is in force.
    Instant ends_at{};              ///< Used or not.
    Instant used_at{};
    io::Address used_from{};

    Instant began_at() const { return ends_at - life_max; }
  };

  struct Beginning {
    Ulid id;
    const crypto::Digest& token_sha256;
    const io::Address& from;
    Instant now{};
  };
  /// @returns the session's key: 256 random bits for the browser's cookie. Only its hash is kept.
  std::string create(const Beginning& beginning);
  /// The session of this key. Nullptr: there is none, or it is over. Valid until the next call.
  /// @param from  where somebody uses it; null: a page that nobody touches asks by itself, or the
  ///              session is only looked at.
  const Session* use(std::string_view key, Instant now, const io::Address* from = nullptr);
  /// Whether the session of the key with this SHA-256 is not over. Does not count as its use.
  bool lasts(const crypto::Digest& key_sha256, Instant now) const;
  /// Those that are not over and that `wanted` says yes to, the newest first. Valid until the next
  /// call that is not const.
  std::vector<const Session*> list(Instant now,
                                   const std::function<bool(const Session&)>& wanted) const;
  void remove(std::string_view key);
  void remove(const Ulid& id);
  /// All of a token, but that of a key (which may be empty).
  void remove_all(const crypto::Digest& token_sha256, std::string_view but_key);

  size_t count() const { return sessions_.size(); }

 private:
  void make_room(const crypto::Digest& token_sha256, Instant now);

  std::map<crypto::Digest, Session> sessions_;  ///< By the key's SHA-256.
};

}  // namespace ringpost::control
