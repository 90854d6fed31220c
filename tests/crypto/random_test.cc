#include "crypto/random.h"

#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

// Goal: tokens have the promised size and never repeat.

namespace ringpost::crypto {
namespace {

TEST(Token, IsItsPrefixAndTheDigitsOfSoManyBytes) {
  const std::string text = token("rp_", 24);
  ASSERT_TRUE(text.starts_with("rp_"));
  const auto bytes = hex_decode(std::string_view{text}.substr(3));
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->size(), 24u);
}

TEST(Token, NeverComesTwice) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(token("", 16)).second);
}

TEST(TokenDeathTest, RefusesToMintAGuessableOne) {
  EXPECT_DEATH(token("", 15), "bytes >= 16");
}

TEST(Fill, ChangesTheWholeSpan) {
  // Each byte stays zero in one draw with 1/256; in none of 64 draws, with 2^-512.
  std::string seen(33, '\0');
  for (int round = 0; round < 64; ++round) {
    std::string drawn(33, '\0');
    fill({reinterpret_cast<std::byte*>(drawn.data()), drawn.size()});
    for (size_t i = 0; i < seen.size(); ++i) seen[i] = static_cast<char>(seen[i] | drawn[i]);
  }
  EXPECT_EQ(seen.find('\0'), std::string::npos);
}

}  // namespace
}  // namespace ringpost::crypto
