#include "crypto/ed25519.h"

#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <string>

// Goal: signatures are RFC 8032's, and nothing but the right one verifies.
// Method: tests 1 to 3 of RFC 8032, 7.1; every single-bit change of one; the other spelling of a
// signature's second half, which must not be taken.

namespace ringpost::crypto {
namespace {

std::string from_hex(std::string_view digits) {
  return *hex_decode(digits);
}

template <size_t N>
std::string to_hex(const std::array<uint8_t, N>& bytes) {
  return hex_encode(std::as_bytes(std::span{bytes}));
}

struct Vector {
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};

constexpr Vector vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(Ed25519Key, SignsAsRfc8032Says) {
  for (const Vector& vector : vectors) {
    const std::string seed = from_hex(vector.seed);
    const std::string message = from_hex(vector.message);
    const auto key = Ed25519Key::from_bytes(as_bytes(seed));
    ASSERT_TRUE(key);
    EXPECT_EQ(to_hex(key->public_key()), vector.public_key);
    EXPECT_EQ(to_hex(key->sign(as_bytes(message))), vector.signature);
    EXPECT_TRUE(ed25519_verify(as_bytes(from_hex(vector.public_key)), as_bytes(message),
                               as_bytes(from_hex(vector.signature))));
  }
}

TEST(Ed25519Key, TakesSeedAndPublicKeyTogetherIfTheyBelongTogether) {
  const std::string seed = from_hex(vectors[1].seed);
  const std::string own = from_hex(vectors[1].public_key);
  const auto key = Ed25519Key::from_bytes(as_bytes(seed + own));
  ASSERT_TRUE(key);
  EXPECT_EQ(to_hex(key->sign(as_bytes(from_hex("72")))), vectors[1].signature);
  EXPECT_EQ(as_text(std::as_bytes(key->private_bytes())), seed + own);
  const std::string foreign = seed + from_hex(vectors[0].public_key);
  EXPECT_EQ(Ed25519Key::from_bytes(as_bytes(foreign)).error().code, Errc::malformed);
  for (size_t size : {0u, 31u, 33u, 63u, 65u}) {
    EXPECT_FALSE(Ed25519Key::from_bytes(as_bytes(std::string(size, 's')))) << size;
  }
}

TEST(Ed25519Verify, RefusesEveryChangedBit) {
  const std::string seed = from_hex(vectors[2].seed);
  const std::string public_key = from_hex(vectors[2].public_key);
  const std::string message = from_hex(vectors[2].message);
  const std::string signature = from_hex(vectors[2].signature);
  const auto flipped = [](std::string bytes, size_t bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    return bytes;
  };
  for (size_t bit = 0; bit < 512; ++bit) {
    EXPECT_FALSE(
        ed25519_verify(as_bytes(public_key), as_bytes(message), as_bytes(flipped(signature, bit))))
        << bit;
  }
  for (size_t bit = 0; bit < 256; ++bit) {
    EXPECT_FALSE(
        ed25519_verify(as_bytes(flipped(public_key, bit)), as_bytes(message), as_bytes(signature)))
        << bit;
  }
  EXPECT_FALSE(
      ed25519_verify(as_bytes(public_key), as_bytes(flipped(message, 3)), as_bytes(signature)));
}

TEST(Ed25519Verify, RefusesWrongSizes) {
  const std::string public_key = from_hex(vectors[0].public_key);
  const std::string signature = from_hex(vectors[0].signature);
  EXPECT_FALSE(ed25519_verify(as_bytes(public_key.substr(1)), {}, as_bytes(signature)));
  EXPECT_FALSE(ed25519_verify(as_bytes(public_key), {}, as_bytes(signature.substr(1))));
  EXPECT_FALSE(ed25519_verify(as_bytes(public_key), {}, as_bytes(signature + '\0')));
}

// RFC 8032, 5.1.7: the second half must be below the group's order; else each signature had two
// spellings.
TEST(Ed25519Verify, RefusesTheSecondSpellingOfASignature) {
  const std::string order =
      from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  std::string signature = from_hex(vectors[0].signature);
  unsigned carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    carry += static_cast<uint8_t>(signature[32 + i]) + static_cast<uint8_t>(order[i]);
    signature[32 + i] = static_cast<char>(carry);
    carry >>= 8;
  }
  ASSERT_EQ(carry, 0u);
  EXPECT_FALSE(ed25519_verify(as_bytes(from_hex(vectors[0].public_key)), {}, as_bytes(signature)));
}

}  // namespace
}  // namespace ringpost::crypto
