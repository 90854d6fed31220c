#pragma once

#include "base/clock.h"

#include <array>
#include <cstdint>
#include <optional>

namespace ringpost {

/// What an attempt's time went to, each as long as it took; nothing: it had no such step. A step
/// that failed took until the attempt's end. Between them lie moments of waiting, so their sum is
/// less than the whole.
struct AttemptTimings {
  std::optional<Duration> name;  ///< Asking for the addresses of the host's name.
  /// Until a TCP connection stood, with the addresses that were tried in vain.
  std::optional<Duration> connect;
  std::optional<Duration> tls;         ///< The handshake.
  std::optional<Duration> first_byte;  ///< From the request until the first byte of the answer.

  bool operator==(const AttemptTimings&) const = default;
};

/// Over which connection an attempt went.
struct ConnectionFacts {
  std::array<uint8_t, 16> ip{};  ///< Network order; IPv4 uses the first four.
  uint8_t ip_bytes = 0;          ///< 4 or 16; 0: it had come to no address.
  uint16_t port = 0;             ///< Host order.
  bool reused = false;           ///< It had carried a request before.
  AttemptTimings timings;

  bool operator==(const ConnectionFacts&) const = default;
};

}  // namespace ringpost
