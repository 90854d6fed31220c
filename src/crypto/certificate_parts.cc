#include "crypto/certificate_parts.h"

#include "base/assert.h"

#include <openssl/asn1.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <array>
#include <initializer_list>

namespace ringpost::crypto {
namespace {

/// As DER writes it (X.690, 11.1).
constexpr ASN1_BOOLEAN der_true = 0xff;

// Bits of keyUsage (RFC 5280, 4.2.1.3).
constexpr int digital_signature = 0;
constexpr int key_cert_sign = 5;
constexpr int crl_sign = 6;

/// @param value  of the type that belongs to the extension; stays the caller's.
void add(X509* certificate, int extension, void* value, bool critical) {
  RINGPOST_ASSERT(
      X509_add1_ext_i2d(certificate, extension, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1);
}

void add_key_usage(X509* certificate, std::initializer_list<int> bits) {
  const bssl::UniquePtr<ASN1_BIT_STRING> usage{ASN1_BIT_STRING_new()};
  for (const int bit : bits) RINGPOST_ASSERT(ASN1_BIT_STRING_set_bit(usage.get(), bit, 1) == 1);
  add(certificate, NID_key_usage, usage.get(), true);
}

/// @param type   of GENERAL_NAME's choice.
/// @param value  goes to the list.
void push_name(GENERAL_NAMES* names, int type, ASN1_STRING* value) {
  GENERAL_NAME* const name = GENERAL_NAME_new();
  RINGPOST_ASSERT(name != nullptr);
  GENERAL_NAME_set0_value(name, type, value);
  RINGPOST_ASSERT(sk_GENERAL_NAME_push(names, name) > 0);
}

ASN1_STRING* string_of(int type, const void* bytes, size_t size) {
  ASN1_STRING* const made = ASN1_STRING_type_new(type);
  RINGPOST_ASSERT(made != nullptr);
  RINGPOST_ASSERT(ASN1_STRING_set(made, bytes, static_cast<int>(size)) == 1);
  return made;
}

ASN1_STRING* address_bytes(const std::string& text) {
  std::array<uint8_t, sizeof(in6_addr)> bytes;
  const bool old = inet_pton(AF_INET, text.c_str(), bytes.data()) == 1;
  RINGPOST_ASSERT(old || inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1);
  return string_of(V_ASN1_OCTET_STRING, bytes.data(), old ? sizeof(in_addr) : sizeof(in6_addr));
}

}  // namespace

void set_random_serial(X509* certificate) {
  uint64_t number = 0;
  RAND_bytes(reinterpret_cast<uint8_t*>(&number), sizeof number);
  const bssl::UniquePtr<ASN1_INTEGER> serial{ASN1_INTEGER_new()};
  RINGPOST_ASSERT(ASN1_INTEGER_set_uint64(serial.get(), number >> 1) == 1);
  RINGPOST_ASSERT(X509_set_serialNumber(certificate, serial.get()) == 1);
}

void mark_as_authority(X509* certificate, bool signs_authorities) {
  const bssl::UniquePtr<BASIC_CONSTRAINTS> constraints{BASIC_CONSTRAINTS_new()};
  constraints->ca = der_true;
  if (!signs_authorities) {
    constraints->pathlen = ASN1_INTEGER_new();
    RINGPOST_ASSERT(ASN1_INTEGER_set_uint64(constraints->pathlen, 0) == 1);
  }
  add(certificate, NID_basic_constraints, constraints.get(), true);
  add_key_usage(certificate, {key_cert_sign, crl_sign});
}

void mark_as_leaf(X509* certificate) {
  const bssl::UniquePtr<BASIC_CONSTRAINTS> constraints{BASIC_CONSTRAINTS_new()};
  add(certificate, NID_basic_constraints, constraints.get(), true);
  add_key_usage(certificate, {digital_signature});
}

void set_purpose(X509* certificate, int purpose) {
  const bssl::UniquePtr<EXTENDED_KEY_USAGE> usage{sk_ASN1_OBJECT_new_null()};
  RINGPOST_ASSERT(sk_ASN1_OBJECT_push(usage.get(), OBJ_nid2obj(purpose)) > 0);
  add(certificate, NID_ext_key_usage, usage.get(), false);
}

void set_alternative_names(X509* certificate, std::span<const std::string> dns_names,
                           std::span<const std::string> addresses) {
  const bssl::UniquePtr<GENERAL_NAMES> names{sk_GENERAL_NAME_new_null()};
  for (const std::string& name : dns_names) {
    push_name(names.get(), GEN_DNS, string_of(V_ASN1_IA5STRING, name.data(), name.size()));
  }
  for (const std::string& address : addresses) {
    push_name(names.get(), GEN_IPADD, address_bytes(address));
  }
  add(certificate, NID_subject_alt_name, names.get(), false);
}

}  // namespace ringpost::crypto
