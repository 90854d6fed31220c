#pragma once

#include "base/keyed_limiter.h"
#include "base/siphash.h"
#include "io/address.h"

#include <cstdint>
#include <optional>

namespace ringpost::net {

/// The client behind an address: an IPv4 address, or the /64 of an IPv6
/// one, hashed. Nothing for a Unix socket: whoever may open it is let in by the file system.
std::optional<uint64_t> source_key(const io::Address& peer, const HashKey& key);

/// Slows down whoever guesses tokens (reliability A-2): counts failed authentications by source
/// address. Asked only after a token was found wrong, so it never blocks a valid
/// one. One per thread; no locks, 16 KiB.
class FailureThrottle {
 public:
  static constexpr uint32_t failures_at_once = 20;
  static constexpr Duration failure_interval = std::chrono::seconds(3);
  /// How often failures are logged, all sources together. The guess is not.
  static constexpr Duration log_interval = std::chrono::seconds(10);

  explicit FailureThrottle(const HashKey& key)
      : key_(key), limiter_({.burst = failures_at_once, .interval = failure_interval}) {}

  /// A request came with a token that is not good.
  /// @returns 0: say so (401); else, seconds to wait: too many came from there (429).
  uint32_t on_failure(const io::Address& peer, Instant now);

 private:
  void log_failure(const io::Address& peer, Instant now);

  const HashKey key_;
  KeyedLimiter limiter_;
  uint64_t unlogged_ = 0;
  std::optional<Instant> logged_at_;
};

}  // namespace ringpost::net
