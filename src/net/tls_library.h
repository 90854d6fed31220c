#pragma once

// What the current libssl has and a system's older one lacks (Debian 12's is of 2022), so that
// `-Dboringssl=system` builds there. For net/tls*.cc only: it shows libssl.

#include <openssl/ssl.h>

#include <cstdint>
#include <span>

namespace ringpost::net {

#ifdef SSL_GROUP_X25519_MLKEM768
inline constexpr bool has_post_quantum_groups = true;

inline uint16_t group_of(const SSL* ssl) {
  return SSL_get_group_id(ssl);
}
inline const char* name_of_group(uint16_t group) {
  return SSL_get_group_name(group);
}
inline bool offer_groups(SSL_CTX* context, const char* groups) {
  return SSL_CTX_set1_groups_list(context, groups) == 1;
}
/// The client's first message carries the share of this group alone, which must be among those
/// offered.
inline bool share_only(SSL* ssl, uint16_t group) {
  return SSL_set1_client_key_shares(ssl, &group, 1) == 1;
}
/// An RSA certificate may be used only for what it says it is for.
inline void enforce_key_usage(SSL* /*ssl*/) {}  // Always so.
/// The context's certificates are those of the pool, which it holds from now on.
inline void share_certificates(SSL_CTX* context, CRYPTO_BUFFER_POOL* pool) {
  SSL_CTX_set1_buffer_pool(context, pool);
}
/// Gives the context a chain, leaf first, with the leaf's key; false if they do not fit.
inline bool use_identity(SSL_CTX* context, std::span<CRYPTO_BUFFER* const> chain, EVP_PKEY* key) {
  const bssl::UniquePtr<SSL_CREDENTIAL> credential{SSL_CREDENTIAL_new_x509()};
  return SSL_CREDENTIAL_set1_cert_chain(credential.get(), chain.data(), chain.size()) == 1 &&
         SSL_CREDENTIAL_set1_private_key(credential.get(), key) == 1 &&
         SSL_CTX_add1_credential(context, credential.get()) == 1;
}

#else
inline constexpr bool has_post_quantum_groups = false;

inline uint16_t group_of(const SSL* ssl) {
  return SSL_get_curve_id(ssl);
}
inline const char* name_of_group(uint16_t group) {
  return SSL_get_curve_name(group);
}
inline bool offer_groups(SSL_CTX* context, const char* groups) {
  return SSL_CTX_set1_curves_list(context, groups) == 1;
}
/// It chooses by itself: the share of the first group.
inline bool share_only(SSL* /*ssl*/, uint16_t /*group*/) {
  return true;
}
inline void enforce_key_usage(SSL* ssl) {
  SSL_set_enforce_rsa_key_usage(ssl, 1);
}
inline void share_certificates(SSL_CTX* context, CRYPTO_BUFFER_POOL* pool) {
  SSL_CTX_set0_buffer_pool(context, pool);  // The pool outlives the context.
}
inline bool use_identity(SSL_CTX* context, std::span<CRYPTO_BUFFER* const> chain, EVP_PKEY* key) {
  return SSL_CTX_set_chain_and_key(context, chain.data(), chain.size(), key, nullptr) == 1;
}
#endif

}  // namespace ringpost::net
