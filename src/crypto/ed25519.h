#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <array>
#include <cstdint>
#include <span>

namespace ringpost::crypto {

using Ed25519PublicKey = std::array<uint8_t, 32>;
using Ed25519Signature = std::array<uint8_t, 64>;

/// A private key of Ed25519 (RFC 8032, 5.1) with its public key. Wiped when destroyed.
class Ed25519Key {
 public:
  static constexpr size_t seed_size = 32;
  static constexpr size_t private_size = 64;

  /// The key pair of a seed, which is what RFC 8032 calls the private key.
  explicit Ed25519Key(std::span<const std::byte, seed_size> seed);
  Ed25519Key(const Ed25519Key&) = default;
  Ed25519Key& operator=(const Ed25519Key&) = default;
  ~Ed25519Key();

  /// A seed (32 bytes), or a seed and its public key (64 bytes), as other programs keep them.
  /// @returns Errc::malformed for any other size, and for a public key that is not the seed's:
  ///          signing with a pair that does not belong together gives the seed away.
  static Result<Ed25519Key> from_bytes(Bytes key);

  Ed25519PublicKey public_key() const;
  /// Seed and public key: secret; for storing only.
  std::span<const uint8_t, private_size> private_bytes() const { return private_; }

  /// The same signature for the same message, always. The message must be in one buffer: it is
  /// hashed twice. Allocates nothing.
  Ed25519Signature sign(Bytes message) const;

 private:
  std::array<uint8_t, private_size> private_;
};

/// Whether `signature` is that key's for the message. Wrong sizes are a no.
bool ed25519_verify(Bytes public_key, Bytes message, Bytes signature);

}  // namespace ringpost::crypto
