#include "crypto/aead.h"

#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

// Goal: what is sealed is AES-256-GCM as published, opens only for what it was sealed for, and no
// changed byte goes unnoticed.
// Method: test cases 13 to 16 of the GCM specification (McGrew and Viega), every single-bit change
// of a sealed text, and every cut of it.

namespace ringpost::crypto {
namespace {

std::string from_hex(std::string_view digits) {
  return *hex_decode(digits);
}

AeadKey key_of(const std::string& bytes) {
  return AeadKey{as_bytes(bytes).first<AeadKey::key_size>()};
}

struct Vector {
  const char* key;
  const char* nonce;
  const char* plain;
  const char* associated;
  const char* cipher;
  const char* tag;
};

constexpr Vector vectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "00000000000000000000000000000000", "", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST(AeadKey, OpensThePublishedVectors) {
  for (const Vector& vector : vectors) {
    const AeadKey key = key_of(from_hex(vector.key));
    const std::string sealed =
        from_hex(vector.nonce) + from_hex(vector.cipher) + from_hex(vector.tag);
    const auto plain = key.open(as_bytes(sealed), as_bytes(from_hex(vector.associated)));
    ASSERT_TRUE(plain) << vector.tag;
    EXPECT_EQ(hex_encode(as_bytes(*plain)), vector.plain);
  }
}

TEST(AeadKey, OpensWhatItSealed) {
  const AeadKey key = key_of(std::string(32, 'k'));
  for (size_t size : {0u, 1u, 15u, 16u, 17u, 1000u, 100'000u}) {
    const std::string plain(size, 'p');
    const std::string sealed = key.seal(as_bytes(plain), as_bytes("row 7"));
    EXPECT_EQ(sealed.size(), size + AeadKey::overhead);
    const auto opened = key.open(as_bytes(sealed), as_bytes("row 7"));
    ASSERT_TRUE(opened) << size;
    EXPECT_EQ(*opened, plain);
  }
}

TEST(AeadKey, NoticesEveryChangedBitAndEveryCut) {
  const AeadKey key = key_of(std::string(32, 'k'));
  const std::string sealed = key.seal(as_bytes("a secret"), as_bytes("row 7"));
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto opened = key.open(as_bytes(changed), as_bytes("row 7"));
    ASSERT_FALSE(opened) << "bit " << bit;
    EXPECT_EQ(opened.error().code, Errc::corrupt);
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(key.open(as_bytes(sealed.substr(0, size)), as_bytes("row 7"))) << size;
  }
  EXPECT_FALSE(key.open(as_bytes(sealed + '\0'), as_bytes("row 7")));
}

TEST(AeadKey, OpensForTheSameKeyAndAssociatedDataOnly) {
  const AeadKey key = key_of(std::string(32, 'k'));
  const std::string sealed = key.seal(as_bytes("a secret"), as_bytes("row 7"));
  EXPECT_FALSE(key.open(as_bytes(sealed), as_bytes("row 8")));
  EXPECT_FALSE(key.open(as_bytes(sealed), as_bytes("")));
  EXPECT_FALSE(key_of(std::string(31, 'k') + 'l').open(as_bytes(sealed), as_bytes("row 7")));
}

TEST(AeadKey, NeverSealsTheSameWayTwice) {
  const AeadKey key = key_of(std::string(32, 'k'));
  std::set<std::string> nonces;
  for (int i = 0; i < 1000; ++i) {
    nonces.insert(key.seal(as_bytes("same"), {}).substr(0, AeadKey::nonce_size));
  }
  EXPECT_EQ(nonces.size(), 1000u);
}

}  // namespace
}  // namespace ringpost::crypto
