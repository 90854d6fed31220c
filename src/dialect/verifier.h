#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "http/message.h"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The receivers' side of the dialects: whether a request is what a relay with the same secret sent.
// For tools and tests; the relay itself never verifies its own requests.

namespace ringpost::dialect {

/// A request as it reached a receiver. Borrows everything.
struct Received {
  std::span<const http::Header> headers;
  Bytes
      body;  ///< As it came, byte for byte: a body that was parsed and serialised again may differ.

  /// The value of a header; empty if it is absent, empty, or appears more than once: what can be
  /// read in two ways is not verified.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
};

/// Which times a signature may have, where the dialect signs a time.
struct Freshness {
  WallTime now{};
  Duration tolerance = std::chrono::minutes(5);  ///< Into the past and into the future.
};

/// The result of a verification.
struct Verdict {
  enum class Kind : uint8_t {
    authentic,   ///< Sent with the secret; fresh, where the dialect signs a time.
    not_signed,  ///< Nothing of the dialect's is there that could be verified.
    refuted,     ///< It claims to be authentic, and is not.
  };

  Kind kind = Kind::authentic;
  std::string reason;  ///< Why not, as a sentence without a full stop; shows no secret.

  bool authentic() const { return kind == Kind::authentic; }
};

inline Verdict not_signed(std::string reason) {
  return {Verdict::Kind::not_signed, std::move(reason)};
}
inline Verdict refuted(std::string reason) {
  return {Verdict::Kind::refuted, std::move(reason)};
}

/// Whether a signed time is fresh.
/// @param place    where it is, for the reason: `webhook-timestamp`.
/// @param seconds  since 1970, as text: decimal digits and nothing else.
Verdict check_freshness(std::string_view place, std::string_view seconds,
                        const Freshness& freshness);

}  // namespace ringpost::dialect
