#include "crypto/ed25519.h"

#include "base/assert.h"
#include "crypto/digest.h"

#include <openssl/curve25519.h>

#include <algorithm>

namespace ringpost::crypto {
namespace {

const uint8_t* data_of(Bytes bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

}  // namespace

Ed25519Key::Ed25519Key(std::span<const std::byte, seed_size> seed) {
  Ed25519PublicKey unused;  // It is also the second half of the private key.
  ED25519_keypair_from_seed(unused.data(), private_.data(), data_of(seed));
}

Ed25519Key::~Ed25519Key() {
  wipe(std::as_writable_bytes(std::span{private_}));
}

Result<Ed25519Key> Ed25519Key::from_bytes(Bytes key) {
  const Error malformed{Errc::malformed, Side::producer};
  if (key.size() != seed_size && key.size() != private_size) return malformed;
  Ed25519Key made{key.first<seed_size>()};
  const Bytes whole = std::as_bytes(std::span{made.private_});
  if (key.size() == private_size && !constant_time_equal(key, whole)) return malformed;
  return made;
}

Ed25519PublicKey Ed25519Key::public_key() const {
  Ed25519PublicKey key;
  std::copy(private_.begin() + seed_size, private_.end(), key.begin());
  return key;
}

Ed25519Signature Ed25519Key::sign(Bytes message) const {
  Ed25519Signature signature;
  const int done =
      ED25519_sign(signature.data(), data_of(message), message.size(), private_.data());
  RINGPOST_ASSERT(done == 1);
  return signature;
}

bool ed25519_verify(Bytes public_key, Bytes message, Bytes signature) {
  if (public_key.size() != ED25519_PUBLIC_KEY_LEN) return false;
  if (signature.size() != ED25519_SIGNATURE_LEN) return false;
  return ED25519_verify(data_of(message), message.size(), data_of(signature),
                        data_of(public_key)) == 1;
}

}  // namespace ringpost::crypto
