#pragma once

#include "base/bytes.h"
#include "crypto/ed25519.h"
#include "crypto/hmac.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

// Secrets of Standard Webhooks 1.0: base64 behind a prefix that says what they sign with.

namespace ringpost::dialect::standard {

inline constexpr std::string_view symmetric_prefix = "whsec_";  ///< A key of HMAC-SHA256.
inline constexpr std::string_view private_prefix = "whsk_";     ///< A private key of Ed25519.
inline constexpr std::string_view public_prefix = "whpk_";      ///< Its public key.

inline constexpr size_t symmetric_bytes_min = 24;
inline constexpr size_t symmetric_bytes_max = 64;

enum class SignatureKind : uint8_t {
  v1,  ///< HMAC-SHA256
  v1a  ///< Ed25519
};

/// As in settings, and before a signature.
std::string_view signature_name(SignatureKind kind);

/// By the prefix; nothing if it has none of the two.
std::optional<SignatureKind> kind_of(std::string_view secret);

/// A fresh secret with its prefix.
std::string mint(SignatureKind kind);

/// A secret made ready for signing. Wiped when destroyed.
class Signer {
 public:
  /// Nothing if `secret` breaks the rule that `object_to` gives.
  static std::optional<Signer> from(std::string_view secret);

  /// Appends `v1,<base64>` or `v1a,<base64>`. @param prefix  id and time, each with a full stop
  /// behind it. @param buffer  Ed25519 needs its message in one piece: here.
  void append_signature(std::string& out, std::string_view prefix, Bytes body,
                        std::string& buffer) const;

  /// `whpk_…` of an Ed25519 key; empty for a symmetric one.
  std::string public_key() const;

 private:
  using Key = std::variant<crypto::HmacSha256Key, crypto::Ed25519Key>;
  explicit Signer(Key key) : key_(std::move(key)) {}

  Key key_;
};

/// Why `secret` cannot be used, as a sentence part; empty if it can.
std::string_view object_to(std::string_view secret);

}  // namespace ringpost::dialect::standard
