#include "sink/certificate.h"

#include "base/assert.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace ringpost::sink {
namespace {

bssl::UniquePtr<EVP_PKEY> make_key() {
  bssl::UniquePtr<EC_KEY> curve(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  RINGPOST_ASSERT(EC_KEY_generate_key(curve.get()) == 1);
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  RINGPOST_ASSERT(EVP_PKEY_set1_EC_KEY(key.get(), curve.get()) == 1);
  return key;
}

void add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  bssl::UniquePtr<X509_EXTENSION> extension(
      X509V3_EXT_nconf_nid(nullptr, &context, kind, const_cast<char*>(value)));
  RINGPOST_ASSERT(extension != nullptr);
  RINGPOST_ASSERT(X509_add_ext(certificate, extension.get(), -1) == 1);
}

bssl::UniquePtr<X509> make_unsigned(EVP_PKEY* key, const char* name) {
  bssl::UniquePtr<X509> certificate(X509_new());
  X509_set_version(certificate.get(), 2);  // Version 3 is written as 2.
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<uint8_t*>(&serial), sizeof serial);
  bssl::UniquePtr<BIGNUM> number(BN_new());
  BN_set_u64(number.get(), serial >> 1);
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_gmtime_adj(X509_get_notBefore(certificate.get()), -86'400);
  X509_gmtime_adj(X509_get_notAfter(certificate.get()), 30 * 86'400);
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

}  // namespace

Certificates make_certificates() {
  const auto ca_key = make_key();
  const auto ca = make_unsigned(ca_key.get(), "ringpost-sink test CA");
  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  sign(ca.get(), ca.get(), ca_key.get());

  const auto key = make_key();
  const auto leaf = make_unsigned(key.get(), "ringpost-sink");
  add_extension(leaf.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(leaf.get(), ca.get(), NID_ext_key_usage, "serverAuth");
  add_extension(leaf.get(), ca.get(), NID_subject_alt_name,
                "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1");
  sign(leaf.get(), ca.get(), ca_key.get());

  return {.ca_pem = to_pem(ca.get()), .leaf_pem = to_pem(leaf.get()), .key_pem = to_pem(key.get())};
}

}  // namespace ringpost::sink
