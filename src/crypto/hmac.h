#pragma once

#include "base/bytes.h"
#include "crypto/digest.h"

#include <array>
#include <cstdint>
#include <span>

namespace ringpost::crypto {

/// A key of HMAC-SHA256 (RFC 2104), prepared: the two blocks of padded key are hashed once, here,
/// so that each message costs only its own blocks and one more. 64 bytes; wiped when destroyed.
class HmacSha256Key {
 public:
  /// @param secret  any bytes, any size; not kept.
  explicit HmacSha256Key(Bytes secret);
  HmacSha256Key(const HmacSha256Key&) = default;
  HmacSha256Key& operator=(const HmacSha256Key&) = default;
  ~HmacSha256Key();

  /// Signs the parts as if they stood in one buffer, one after the other.
  Digest sign(std::span<const Bytes> parts) const;
  Digest sign(Bytes message) const { return sign(std::span{&message, 1}); }

 private:
  using State = std::array<uint32_t, 8>;  ///< SHA-256 after exactly one block.

  State inner_;
  State outer_;
};

/// HMAC-SHA1 of one message, for verifying what old senders signed; nothing of ours is signed so.
std::array<uint8_t, 20> hmac_sha1(Bytes secret, Bytes message);

}  // namespace ringpost::crypto
