#include "crypto/digest.h"

#include <openssl/mem.h>
#include <openssl/sha.h>

namespace ringpost::crypto {

Digest sha256(Bytes bytes) {
  Digest digest;
  SHA256(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

bool constant_time_equal(Bytes left, Bytes right) {
  if (left.size() != right.size()) return false;
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

void wipe(MutableBytes secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

}  // namespace ringpost::crypto
