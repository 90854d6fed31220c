#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>

namespace ringpost::crypto {

/// 32 bytes: of a hash, or of a signature over one.
using Digest = std::array<uint8_t, 32>;

inline Bytes bytes_of(const Digest& digest) {
  return std::as_bytes(std::span{digest});
}

/// SHA-256 (FIPS 180-4) of `bytes`.
Digest sha256(Bytes bytes);

/// Whether two secrets or signatures are equal, in a time that depends on their sizes only. Sizes
/// are not secret: different sizes answer false at once.
bool constant_time_equal(Bytes left, Bytes right);

/// Overwrites a secret so that the compiler may not leave the store out.
void wipe(MutableBytes secret);

}  // namespace ringpost::crypto
