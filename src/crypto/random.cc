#include "crypto/random.h"

#include "base/assert.h"
#include "crypto/hex.h"

#include <openssl/rand.h>

#include <cstdint>

namespace ringpost::crypto {

void fill(MutableBytes bytes) {
  const int filled = RAND_bytes(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size());
  RINGPOST_ASSERT(filled == 1);
}

std::string token(std::string_view prefix, size_t bytes) {
  RINGPOST_ASSERT(bytes >= 16);
  std::string secret(bytes, '\0');
  fill({reinterpret_cast<std::byte*>(secret.data()), secret.size()});
  std::string text{prefix};
  append_hex(text, as_bytes(secret));
  return text;
}

}  // namespace ringpost::crypto
