#include "net/test_certificates.h"

#include "base/assert.h"
#include "crypto/certificate_parts.h"

#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <ctime>
#include <utility>

namespace ringpost::testing {
namespace {

using KeyPointer = bssl::UniquePtr<EVP_PKEY>;
using CertificatePointer = bssl::UniquePtr<X509>;

KeyPointer make_key(CertificateOptions::Key kind) {
  KeyPointer key{EVP_PKEY_new()};
  if (kind == CertificateOptions::Key::p256) {
    bssl::UniquePtr<EC_KEY> curve_key{EC_KEY_new_by_curve_name(NID_X9_62_prime256v1)};
    RINGPOST_ASSERT(EC_KEY_generate_key(curve_key.get()) == 1);
    RINGPOST_ASSERT(EVP_PKEY_set1_EC_KEY(key.get(), curve_key.get()) == 1);
  } else {
    const int bits = kind == CertificateOptions::Key::rsa2048 ? 2048 : 1024;
    bssl::UniquePtr<BIGNUM> exponent{BN_new()};
    bssl::UniquePtr<RSA> rsa{RSA_new()};
    RINGPOST_ASSERT(BN_set_word(exponent.get(), RSA_F4) == 1);
    RINGPOST_ASSERT(RSA_generate_key_ex(rsa.get(), bits, exponent.get(), nullptr) == 1);
    RINGPOST_ASSERT(EVP_PKEY_set1_RSA(key.get(), rsa.get()) == 1);
  }
  return key;
}

std::string to_pem(X509* certificate) {
  bssl::UniquePtr<BIO> bio{BIO_new(BIO_s_mem())};
  RINGPOST_ASSERT(PEM_write_bio_X509(bio.get(), certificate) == 1);
  const uint8_t* bytes = nullptr;
  size_t size = 0;
  RINGPOST_ASSERT(BIO_mem_contents(bio.get(), &bytes, &size) == 1);
  return {reinterpret_cast<const char*>(bytes), size};
}

std::string to_pem(EVP_PKEY* key) {
  bssl::UniquePtr<BIO> bio{BIO_new(BIO_s_mem())};
  RINGPOST_ASSERT(
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  const uint8_t* bytes = nullptr;
  size_t size = 0;
  RINGPOST_ASSERT(BIO_mem_contents(bio.get(), &bytes, &size) == 1);
  return {reinterpret_cast<const char*>(bytes), size};
}

void set_validity(X509* certificate, const CertificateOptions& options) {
  const int64_t now = options.now != 0 ? options.now : std::time(nullptr);
  ASN1_TIME_set(X509_getm_notBefore(certificate), now + options.valid_from_seconds);
  ASN1_TIME_set(X509_getm_notAfter(certificate), now + options.valid_until_seconds);
}

/// A certificate of `key`, without extensions and issuer; not signed yet.
CertificatePointer make_certificate(const CertificateOptions& options, EVP_PKEY* key) {
  CertificatePointer certificate{X509_new()};
  RINGPOST_ASSERT(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  crypto::set_random_serial(certificate.get());
  set_validity(certificate.get(), options);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const uint8_t*>(options.common_name.c_str()), -1, -1,
                             0);
  RINGPOST_ASSERT(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key, bool sha1) {
  RINGPOST_ASSERT(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
  RINGPOST_ASSERT(X509_sign(certificate, issuer_key, sha1 ? EVP_sha1() : EVP_sha256()) > 0);
}

void add_leaf_extensions(X509* certificate, const CertificateOptions& options) {
  crypto::mark_as_leaf(certificate);
  if (options.purpose != 0) crypto::set_purpose(certificate, options.purpose);
  if (!options.dns_names.empty() || !options.ip_addresses.empty()) {
    crypto::set_alternative_names(certificate, options.dns_names, options.ip_addresses);
  }
}

}  // namespace

struct TestAuthority::State {
  KeyPointer key;
  CertificatePointer certificate;
  std::string pem;
  std::string chain_pem;  ///< What servers send behind their own certificate.
  int64_t now = 0;
};

TestAuthority::TestAuthority(const std::string& name, int64_t now)
    : state_(std::make_unique<State>()) {
  state_->now = now;
  state_->key = make_key(CertificateOptions::Key::p256);
  state_->certificate = make_certificate({.common_name = name, .now = now}, state_->key.get());
  crypto::mark_as_authority(state_->certificate.get(), true);
  sign(state_->certificate.get(), state_->certificate.get(), state_->key.get(), false);
  state_->pem = to_pem(state_->certificate.get());
}

TestAuthority::TestAuthority(std::unique_ptr<State> state) : state_(std::move(state)) {}
TestAuthority::TestAuthority(TestAuthority&&) noexcept = default;
TestAuthority::~TestAuthority() = default;

const std::string& TestAuthority::certificate_pem() const {
  return state_->pem;
}

TestIdentity TestAuthority::issue(const CertificateOptions& options) const {
  const KeyPointer key = make_key(options.key);
  const CertificatePointer certificate = make_certificate(options, key.get());
  add_leaf_extensions(certificate.get(), options);
  sign(certificate.get(), state_->certificate.get(), state_->key.get(), options.sha1);
  return {to_pem(certificate.get()) + state_->chain_pem, to_pem(key.get())};
}

TestAuthority TestAuthority::intermediate(const std::string& name) const {
  auto made = std::make_unique<State>();
  made->now = state_->now;
  made->key = make_key(CertificateOptions::Key::p256);
  made->certificate = make_certificate({.common_name = name, .now = made->now}, made->key.get());
  crypto::mark_as_authority(made->certificate.get(), true);
  sign(made->certificate.get(), state_->certificate.get(), state_->key.get(), false);
  made->pem = to_pem(made->certificate.get());
  made->chain_pem = made->pem + state_->chain_pem;
  return TestAuthority{std::move(made)};
}

TestIdentity make_self_signed(const CertificateOptions& options) {
  const KeyPointer key = make_key(options.key);
  const CertificatePointer certificate = make_certificate(options, key.get());
  add_leaf_extensions(certificate.get(), options);
  sign(certificate.get(), certificate.get(), key.get(), options.sha1);
  return {to_pem(certificate.get()), to_pem(key.get())};
}

}  // namespace ringpost::testing
