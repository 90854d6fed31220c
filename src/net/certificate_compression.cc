#include "net/certificate_compression.h"

#include "base/assert.h"

#include <openssl/pool.h>

#include <brotli/decode.h>

namespace ringpost::net {
namespace {

int unpack(SSL* /*ssl*/, CRYPTO_BUFFER** out, size_t size, const uint8_t* packed,
           size_t packed_size) {
  uint8_t* bytes = nullptr;
  bssl::UniquePtr<CRYPTO_BUFFER> buffer{CRYPTO_BUFFER_alloc(&bytes, size)};
  if (buffer == nullptr) return 0;
  size_t unpacked = size;
  if (BrotliDecoderDecompress(packed_size, packed, &unpacked, bytes) !=
          BROTLI_DECODER_RESULT_SUCCESS ||
      unpacked != size) {
    return 0;
  }
  *out = buffer.release();
  return 1;
}

}  // namespace

void accept_compressed_certificates(SSL_CTX* context) {
  const int taken =
      SSL_CTX_add_cert_compression_alg(context, TLSEXT_cert_compression_brotli, nullptr, unpack);
  RINGPOST_ASSERT(taken == 1);
}

}  // namespace ringpost::net
