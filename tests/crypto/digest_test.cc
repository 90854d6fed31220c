#include "crypto/digest.h"

#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <string>

// Goal: hashes are FIPS 180-4's, and the constant-time comparison compares every byte.

namespace ringpost::crypto {
namespace {

std::string hash(std::string_view text) {
  return hex_encode(bytes_of(sha256(as_bytes(text))));
}

TEST(Sha256, HashesAsFips180Says) {
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(ConstantTimeEqual, SeesADifferenceInAnyBit) {
  const std::string secret = "0123456789abcdef";
  for (size_t bit = 0; bit < 8 * secret.size(); ++bit) {
    std::string other = secret;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(constant_time_equal(as_bytes(secret), as_bytes(other)));
  }
  EXPECT_TRUE(constant_time_equal(as_bytes(secret), as_bytes(secret)));
}

TEST(ConstantTimeEqual, AnswersFalseForAPrefix) {
  EXPECT_FALSE(constant_time_equal(as_bytes("abc"), as_bytes("abcd")));
  EXPECT_FALSE(constant_time_equal(as_bytes("abc"), {}));
  EXPECT_TRUE(constant_time_equal({}, {}));
}

TEST(Wipe, LeavesNoByte) {
  std::string secret = "secret";
  wipe({reinterpret_cast<std::byte*>(secret.data()), secret.size()});
  EXPECT_EQ(secret, std::string(6, '\0'));
}

}  // namespace
}  // namespace ringpost::crypto
