#include "sink/certificate.h"

#include "base/assert.h"
#include "crypto/certificate_parts.h"

#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace ringpost::sink {
namespace {

bssl::UniquePtr<EVP_PKEY> make_key() {
  bssl::UniquePtr<EC_KEY> curve(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  RINGPOST_ASSERT(EC_KEY_generate_key(curve.get()) == 1);
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  RINGPOST_ASSERT(EVP_PKEY_set1_EC_KEY(key.get(), curve.get()) == 1);
  return key;
}

constexpr long day = 86'400;

/// Seconds from now.
struct Validity {
  long from = -day;
  long until = 30 * day;
};

Validity validity_of(CertificateKind kind) {
  if (kind == CertificateKind::expired) return {-30 * day, -day};
  if (kind == CertificateKind::not_yet_valid) return {day, 30 * day};
  return {};
}

bssl::UniquePtr<X509> make_unsigned(EVP_PKEY* key, const char* name, Validity validity = {}) {
  bssl::UniquePtr<X509> certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  crypto::set_random_serial(certificate.get());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), validity.from);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), validity.until);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const uint8_t*>(name), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key) {
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  RINGPOST_ASSERT(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
}

std::string text_of(BIO* memory) {
  const uint8_t* data = nullptr;
  size_t size = 0;
  RINGPOST_ASSERT(BIO_mem_contents(memory, &data, &size) == 1);
  return {reinterpret_cast<const char*>(data), size};
}

std::string to_pem(X509* certificate) {
  bssl::UniquePtr<BIO> memory(BIO_new(BIO_s_mem()));
  RINGPOST_ASSERT(PEM_write_bio_X509(memory.get(), certificate) == 1);
  return text_of(memory.get());
}

std::string to_pem(EVP_PKEY* key) {
  bssl::UniquePtr<BIO> memory(BIO_new(BIO_s_mem()));
  RINGPOST_ASSERT(
      PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(memory.get());
}

void name_hosts(X509* certificate, CertificateKind kind) {
  if (kind == CertificateKind::wrong_name) {
    const std::string elsewhere[] = {"elsewhere.example"};
    return crypto::set_alternative_names(certificate, elsewhere, {});
  }
  const std::string dns_names[] = {"localhost", "*.sink.localhost"};
  const std::string addresses[] = {"127.0.0.1", "::1"};
  crypto::set_alternative_names(certificate, dns_names, addresses);
}

}  // namespace

struct Authority::State {
  explicit State(const char* name) : key(make_key()), certificate(make_unsigned(key.get(), name)) {
    crypto::mark_as_authority(certificate.get(), false);
    sign(certificate.get(), certificate.get(), key.get());
  }

  bssl::UniquePtr<EVP_PKEY> key;
  bssl::UniquePtr<X509> certificate;
};

Authority::Authority() : state_(std::make_unique<State>("ringpost-sink test CA")) {}
Authority::~Authority() = default;

std::string Authority::ca_pem() const {
  return to_pem(state_->certificate.get());
}

Authority::Identity Authority::issue(CertificateKind kind) const {
  const auto key = make_key();
  const auto leaf = make_unsigned(key.get(), "ringpost-sink", validity_of(kind));
  crypto::mark_as_leaf(leaf.get());
  crypto::set_purpose(leaf.get(), NID_server_auth);
  name_hosts(leaf.get(), kind);
  if (kind == CertificateKind::self_signed) {
    sign(leaf.get(), leaf.get(), key.get());
  } else if (kind == CertificateKind::unknown_issuer) {
    const State stranger("a CA that nobody was given");
    sign(leaf.get(), stranger.certificate.get(), stranger.key.get());
  } else {
    sign(leaf.get(), state_->certificate.get(), state_->key.get());
  }
  return {.certificate_pem = to_pem(leaf.get()), .key_pem = to_pem(key.get())};
}

}  // namespace ringpost::sink
