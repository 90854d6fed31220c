#pragma once

#include "base/clock.h"
#include "crypto/digest.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::control {

/// Codes that begin a session of the console in place of a token, so that the token itself never
/// gets into a browser's address or history. Each is good once and for a minute. In memory only.
class SessionLinks {
 public:
  static constexpr Duration life_max = std::chrono::seconds(60);
  /// Beyond these bounds the oldest code goes for the new one.
  static constexpr size_t per_token_max = 20;
  static constexpr size_t count_max = 10'000;

  /// @returns the code: 256 random bits. Only its hash is kept.
  std::string create(const crypto::Digest& token_sha256, Instant now);
  /// Whose code it is, Token::sha256: from now on it is nobody's. Nothing: it is not, or no longer,
  /// good.
  std::optional<crypto::Digest> take(std::string_view code, Instant now);

  size_t count() const { return links_.size(); }

 private:
  struct Link {
    crypto::Digest token_sha256{};
    Instant ends_at{};
  };
  void make_room(const crypto::Digest& token_sha256, Instant now);

  std::map<crypto::Digest, Link> links_;  ///< By the code's SHA-256.
};

}  // namespace ringpost::control
