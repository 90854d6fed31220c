#include "crypto/hmac.h"

#include "base/assert.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

namespace ringpost::crypto {
namespace {

constexpr size_t block_size = SHA256_CBLOCK;
using Block = std::array<uint8_t, block_size>;

/// The state of SHA-256 after the padded key, each of whose bytes is mixed with `pad`.
std::array<uint32_t, 8> state_after(const Block& key, uint8_t pad) {
  Block mixed;
  for (size_t i = 0; i < block_size; ++i) mixed[i] = static_cast<uint8_t>(key[i] ^ pad);
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, mixed.data(), mixed.size());
  RINGPOST_ASSERT(context.num == 0);  // A whole block: nothing waits in the context's buffer.
  std::array<uint32_t, 8> state;
  std::memcpy(state.data(), context.h, sizeof context.h);
  OPENSSL_cleanse(mixed.data(), mixed.size());
  OPENSSL_cleanse(&context, sizeof context);
  return state;
}

/// A context that goes on where `state_after` stopped.
SHA256_CTX resume(const std::array<uint32_t, 8>& state) {
  SHA256_CTX context;
  SHA256_Init(&context);
  std::memcpy(context.h, state.data(), sizeof context.h);
  context.Nl = 8 * block_size;  // Message bits so far.
  return context;
}

}  // namespace

HmacSha256Key::HmacSha256Key(Bytes secret) {
  Block key{};
  if (secret.size() > block_size) {  // RFC 2104, 2: longer keys are hashed first.
    const Digest hashed = sha256(secret);
    std::ranges::copy(hashed, key.begin());
  } else if (!secret.empty()) {
    std::memcpy(key.data(), secret.data(), secret.size());
  }
  inner_ = state_after(key, 0x36);
  outer_ = state_after(key, 0x5c);
  OPENSSL_cleanse(key.data(), key.size());
}

HmacSha256Key::~HmacSha256Key() {
  OPENSSL_cleanse(inner_.data(), sizeof inner_);
  OPENSSL_cleanse(outer_.data(), sizeof outer_);
}

Digest HmacSha256Key::sign(std::span<const Bytes> parts) const {
  SHA256_CTX context = resume(inner_);
  for (const Bytes part : parts) SHA256_Update(&context, part.data(), part.size());
  Digest digest;
  SHA256_Final(digest.data(), &context);

  context = resume(outer_);
  SHA256_Update(&context, digest.data(), digest.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

std::array<uint8_t, 20> hmac_sha1(Bytes secret, Bytes message) {
  std::array<uint8_t, 20> digest;
  unsigned size = 0;
  const uint8_t* made =
      HMAC(EVP_sha1(), secret.data(), secret.size(),
           reinterpret_cast<const uint8_t*>(message.data()), message.size(), digest.data(), &size);
  RINGPOST_ASSERT(made != nullptr && size == digest.size());
  return digest;
}

}  // namespace ringpost::crypto
