#include "dialect/standard/secret.h"

#include "base/assert.h"
#include "crypto/base64.h"
#include "crypto/random.h"

#include <array>

namespace ringpost::dialect::standard {

std::string_view signature_name(SignatureKind kind) {
  switch (kind) {
    case SignatureKind::v1: return "v1";
    case SignatureKind::v1a: return "v1a";
  }
  RINGPOST_UNREACHABLE();
}

std::optional<SignatureKind> kind_of(std::string_view secret) {
  if (secret.starts_with(symmetric_prefix)) return SignatureKind::v1;
  if (secret.starts_with(private_prefix)) return SignatureKind::v1a;
  return std::nullopt;
}

std::string mint(SignatureKind kind) {
  std::array<std::byte, 32> bytes;  // A key, or the seed of one.
  crypto::fill(bytes);
  std::string secret;
  if (kind == SignatureKind::v1) {
    secret = std::string{symmetric_prefix} + crypto::base64_encode(bytes);
  } else {
    const crypto::Ed25519Key key{std::span<const std::byte, 32>{bytes}};
    secret =
        std::string{private_prefix} + crypto::base64_encode(std::as_bytes(key.private_bytes()));
  }
  crypto::wipe(bytes);
  return secret;
}

std::optional<Signer> Signer::from(std::string_view secret) {
  const auto kind = kind_of(secret);
  if (!kind) return std::nullopt;
  secret.remove_prefix(*kind == SignatureKind::v1 ? symmetric_prefix.size()
                                                  : private_prefix.size());
  const auto bytes = crypto::base64_decode(secret);
  if (!bytes) return std::nullopt;
  if (*kind == SignatureKind::v1) {
    if (bytes->size() < symmetric_bytes_min || bytes->size() > symmetric_bytes_max) {
      return std::nullopt;
    }
    return Signer{crypto::HmacSha256Key{as_bytes(*bytes)}};
  }
  const auto key = crypto::Ed25519Key::from_bytes(as_bytes(*bytes));
  if (!key) return std::nullopt;
  return Signer{*key};
}

void Signer::append_signature(std::string& out, std::string_view prefix, Bytes body,
                              std::string& buffer) const {
  if (const auto* symmetric = std::get_if<crypto::HmacSha256Key>(&key_)) {
    out.append(signature_name(SignatureKind::v1)).append(",");
    const std::array parts{as_bytes(prefix), body};
    const auto signature = symmetric->sign(parts);
    return crypto::append_base64(out, crypto::bytes_of(signature));
  }
  out.append(signature_name(SignatureKind::v1a)).append(",");
  buffer.assign(prefix).append(as_text(body));
  const auto signature = std::get<crypto::Ed25519Key>(key_).sign(as_bytes(buffer));
  crypto::append_base64(out, std::as_bytes(std::span{signature}));
}

std::string Signer::public_key() const {
  const auto* key = std::get_if<crypto::Ed25519Key>(&key_);
  if (key == nullptr) return {};
  const crypto::Ed25519PublicKey bytes = key->public_key();
  return std::string{public_prefix} + crypto::base64_encode(std::as_bytes(std::span{bytes}));
}

std::string_view object_to(std::string_view secret) {
  if (Signer::from(secret)) return {};
  if (kind_of(secret) == SignatureKind::v1a) {
    return "must be \"whsk_\" and the base64 of an Ed25519 key: 32 bytes of seed, or these and the "
           "32 bytes of their public key";
  }
  return "must be \"whsec_\" and the base64 of 24 to 64 bytes, or \"whsk_\" and an Ed25519 key";
}

}  // namespace ringpost::dialect::standard
