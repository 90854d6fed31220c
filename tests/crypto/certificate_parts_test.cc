#include "crypto/certificate_parts.h"

#include <gtest/gtest.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>
#include <vector>

namespace ringpost::crypto {
namespace {

bssl::UniquePtr<X509> make_empty() {
  return bssl::UniquePtr<X509>{X509_new()};
}

/// The bytes of an extension's value, "critical " before them if it is; empty without extension.
std::string extension_of(X509* certificate, int kind) {
  const int place = X509_get_ext_by_NID(certificate, kind, -1);
  if (place < 0) return "";
  X509_EXTENSION* const extension = X509_get_ext(certificate, place);
  uint8_t* bytes = nullptr;
  const int size = i2d_ASN1_OCTET_STRING(X509_EXTENSION_get_data(extension), &bytes);
  const bssl::UniquePtr<uint8_t> owner{bytes};
  std::string text = X509_EXTENSION_get_critical(extension) != 0 ? "critical " : "";
  constexpr char digits[] = "0123456789abcdef";
  for (int i = 2; i < size; ++i)
    text += {digits[bytes[i] >> 4], digits[bytes[i] & 15]};  // Behind tag and length.
  return text;
}

// The DER of RFC 5280's types, by hand.
TEST(CertificateParts, OfAnAuthority) {
  const auto root = make_empty();
  mark_as_authority(root.get(), true);
  EXPECT_EQ(extension_of(root.get(), NID_basic_constraints), "critical 30030101ff");
  EXPECT_EQ(extension_of(root.get(), NID_key_usage), "critical 03020106");
  const auto last = make_empty();
  mark_as_authority(last.get(), false);
  EXPECT_EQ(extension_of(last.get(), NID_basic_constraints), "critical 30060101ff020100");
}

TEST(CertificateParts, OfALeaf) {
  const auto leaf = make_empty();
  mark_as_leaf(leaf.get());
  EXPECT_EQ(extension_of(leaf.get(), NID_basic_constraints), "critical 3000");
  EXPECT_EQ(extension_of(leaf.get(), NID_key_usage), "critical 03020780");
  EXPECT_EQ(extension_of(leaf.get(), NID_ext_key_usage), "");
  set_purpose(leaf.get(), NID_server_auth);
  EXPECT_EQ(extension_of(leaf.get(), NID_ext_key_usage), "300a06082b06010505070301");
}

TEST(CertificateParts, NamesKeepTheirOrderAndKind) {
  const auto leaf = make_empty();
  set_alternative_names(leaf.get(), std::vector<std::string>{"b.c", "*.a"},
                        std::vector<std::string>{"127.0.0.1", "::1"});
  EXPECT_EQ(extension_of(leaf.get(), NID_subject_alt_name),
            "30228203622e638203"
            "2a2e61"
            "87047f000001"
            "871000000000000000000000000000000001");
}

TEST(CertificateParts, SerialNumbersDiffer) {
  const auto one = make_empty();
  const auto two = make_empty();
  set_random_serial(one.get());
  set_random_serial(two.get());
  EXPECT_NE(ASN1_INTEGER_cmp(X509_get0_serialNumber(one.get()), X509_get0_serialNumber(two.get())),
            0);
}

}  // namespace
}  // namespace ringpost::crypto
