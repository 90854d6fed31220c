#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <string>

// Goal: digits are lower case when written, of either case when read, and nothing else is read.

namespace ringpost::crypto {
namespace {

TEST(Hex, CarriesEveryByte) {
  for (int value = 0; value < 256; ++value) {
    const std::string bytes{static_cast<char>(value), 'x'};
    const auto decoded = hex_decode(hex_encode(as_bytes(bytes)));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, bytes);
  }
}

TEST(Hex, WritesLowerCaseAndReadsBoth) {
  EXPECT_EQ(hex_encode(as_bytes("\xab\xcd\x0f")), "abcd0f");
  EXPECT_EQ(*hex_decode("ABcd0F"), "\xab\xcd\x0f");
  EXPECT_EQ(*hex_decode(""), "");
}

TEST(Hex, RefusesEveryOtherCharacterAtEitherPlace) {
  for (int value = 0; value < 256; ++value) {
    const char digit = static_cast<char>(value);
    if (std::string_view{"0123456789abcdefABCDEF"}.contains(digit)) continue;
    EXPECT_FALSE(hex_decode(std::string{'0', digit})) << value;
    EXPECT_FALSE(hex_decode(std::string{digit, '0'})) << value;
  }
}

TEST(Hex, RefusesHalfAByte) {
  EXPECT_FALSE(hex_decode("a"));
  EXPECT_FALSE(hex_decode("abc"));
}

}  // namespace
}  // namespace ringpost::crypto
