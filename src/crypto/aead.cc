#include "crypto/aead.h"

#include "base/assert.h"
#include "crypto/random.h"

#include <openssl/aead.h>

namespace ringpost::crypto {
namespace {

const uint8_t* data_of(Bytes bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

uint8_t* data_of(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}

}  // namespace

void AeadKey::Free::operator()(EVP_AEAD_CTX* context) const {
  EVP_AEAD_CTX_free(context);
}

AeadKey::AeadKey(std::span<const std::byte, key_size> key)
    : context_(EVP_AEAD_CTX_new(EVP_aead_aes_256_gcm(), data_of(key), key.size(), tag_size)) {
  RINGPOST_ASSERT(context_ != nullptr);  // Only without memory.
}

std::string AeadKey::seal(Bytes plain, Bytes associated) const {
  std::string sealed(overhead + plain.size(), '\0');
  fill({reinterpret_cast<std::byte*>(sealed.data()), nonce_size});
  size_t size = 0;
  const int done =
      EVP_AEAD_CTX_seal(context_.get(), data_of(sealed) + nonce_size, &size,
                        sealed.size() - nonce_size, data_of(sealed), nonce_size, data_of(plain),
                        plain.size(), data_of(associated), associated.size());
  RINGPOST_ASSERT(done == 1);  // Fails for 64 GiB and more only.
  RINGPOST_ASSERT(size == plain.size() + tag_size);
  return sealed;
}

Result<std::string> AeadKey::open(Bytes sealed, Bytes associated) const {
  if (sealed.size() < overhead) return Error{Errc::corrupt, Side::disk};
  const Bytes nonce = sealed.first(nonce_size);
  const Bytes cipher = sealed.subspan(nonce_size);
  std::string plain(cipher.size(), '\0');
  size_t size = 0;
  const int opened = EVP_AEAD_CTX_open(context_.get(), data_of(plain), &size, plain.size(),
                                       data_of(nonce), nonce.size(), data_of(cipher), cipher.size(),
                                       data_of(associated), associated.size());
  if (opened != 1) return Error{Errc::corrupt, Side::disk};
  plain.resize(size);
  return plain;
}

}  // namespace ringpost::crypto
