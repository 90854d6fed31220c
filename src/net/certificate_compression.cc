#include "net/certificate_compression.h"

#include "base/assert.h"

#include <openssl/bytestring.h>
#include <openssl/pool.h>

#include <algorithm>
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <mutex>
#include <span>
#include <vector>

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

/// The certificate message of a context, which is the same in all its handshakes, and what it is
/// compressed to. Owned by the context; any thread.
class PackedMessage {
 public:
  /// Writes the compressed form of a message.
  bool write(std::span<const uint8_t> message, CBB* out) {
    const std::lock_guard lock{mutex_};
    if (!std::ranges::equal(message, message_) && !pack(message)) return false;
    return CBB_add_bytes(out, packed_.data(), packed_.size()) == 1;
  }

 private:
  bool pack(std::span<const uint8_t> message) {
    size_t size = BrotliEncoderMaxCompressedSize(message.size());
    packed_.resize(size);
    if (BrotliEncoderCompress(BROTLI_MAX_QUALITY, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC,
                              message.size(), message.data(), &size,
                              packed_.data()) != BROTLI_TRUE) {
      return false;
    }
    packed_.resize(size);
    message_.assign(message.begin(), message.end());
    return true;
  }

  std::mutex mutex_;
  std::vector<uint8_t> message_;  ///< Guarded by mutex_, as is the next.
  std::vector<uint8_t> packed_;
};

/// Where a context keeps its PackedMessage.
int place_in_context() {
  static const int place = SSL_CTX_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void* /*context*/, void* packed, CRYPTO_EX_DATA* /*data*/, int /*place*/, long /*long*/,
         void* /*pointer*/) { delete static_cast<PackedMessage*>(packed); });
  RINGPOST_ASSERT(place >= 0);
  return place;
}

int pack(SSL* ssl, CBB* out, const uint8_t* message, size_t size) {
  void* const kept = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place_in_context());
  return static_cast<PackedMessage*>(kept)->write({message, size}, out) ? 1 : 0;
}

}  // namespace

void accept_compressed_certificates(SSL_CTX* context) {
  const int taken =
      SSL_CTX_add_cert_compression_alg(context, TLSEXT_cert_compression_brotli, nullptr, unpack);
  RINGPOST_ASSERT(taken == 1);
}

void send_compressed_certificates(SSL_CTX* context) {
  RINGPOST_ASSERT(SSL_CTX_set_ex_data(context, place_in_context(), new PackedMessage) == 1);
  const int taken =
      SSL_CTX_add_cert_compression_alg(context, TLSEXT_cert_compression_brotli, pack, nullptr);
  RINGPOST_ASSERT(taken == 1);
}

}  // namespace ringpost::net
