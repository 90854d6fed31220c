#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct evp_aead_ctx_st;  // The library's, which only this folder sees.

namespace ringpost::crypto {

/// A key of AES-256-GCM (NIST SP 800-38D), prepared. Seals bytes so that they can neither be read
/// nor changed without it. Any number of threads at a time.
///
/// A sealed text is `nonce (12) | ciphertext (as long as the plain text) | tag (16)`. The nonce is
/// random and new for each call. Two of one key must never be equal: after 2^32 calls the chance
/// that two were is 2^-32, the limit of SP 800-38D, 8.3. A relay that seals 100 secrets a second
/// gets there in 16 months; `ringpost secrets rotate` starts anew.
class AeadKey {
 public:
  static constexpr size_t key_size = 32;
  static constexpr size_t nonce_size = 12;
  static constexpr size_t tag_size = 16;
  static constexpr size_t overhead = nonce_size + tag_size;

  /// @param key  not kept as it is, but what is kept is as secret; wiped when destroyed.
  explicit AeadKey(std::span<const std::byte, key_size> key);

  /// @param associated  what the sealed text belongs to: not in it, but `open` must be given the
  /// same.
  std::string seal(Bytes plain, Bytes associated) const;

  /// @returns the plain text; Errc::corrupt if this is not what `seal` made with this key and this
  ///          `associated`, whatever the difference is.
  Result<std::string> open(Bytes sealed, Bytes associated) const;

 private:
  struct Free {
    void operator()(evp_aead_ctx_st* context) const;  ///< Wipes it.
  };

  std::unique_ptr<evp_aead_ctx_st, Free> context_;
};

}  // namespace ringpost::crypto
