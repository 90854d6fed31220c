#include "crypto/base64.h"

#include <gtest/gtest.h>

#include <string>

// Goal: what we write is RFC 4648's, and what we read has exactly one spelling.
// Method: the RFC's vectors; every text of one group over a small alphabet must either fail or come
// out again as it went in.

namespace ringpost::crypto {
namespace {

TEST(Base64, WritesAndReadsTheVectorsOfRfc4648) {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(as_bytes(bytes)), text);
    const auto decoded = base64_decode(text);
    ASSERT_TRUE(decoded) << text;
    EXPECT_EQ(*decoded, bytes);
  }
}

TEST(Base64, CarriesEveryByteAtEveryPlace) {
  for (size_t place = 0; place < 4; ++place) {
    for (int value = 0; value < 256; ++value) {
      std::string bytes(4, 'x');
      bytes[place] = static_cast<char>(value);
      const auto decoded = base64_decode(base64_encode(as_bytes(bytes)));
      ASSERT_TRUE(decoded);
      EXPECT_EQ(*decoded, bytes);
    }
  }
}

TEST(Base64, RefusesWhatIsNotExactlyTheAlphabet) {
  for (const std::string_view text :
       {"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "=Zg=", "Zg=v", "Zg==Zg==", "Zm9v\n",
        "Zm 9", " Zm9", "Zm-_", "Zm9\x80", "Zm9v====", "Zm==9v"}) {
    const auto decoded = base64_decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, Errc::malformed);
  }
  EXPECT_FALSE(base64_decode(std::string_view("Zm\0v", 4)));
}

TEST(Base64, HasOneSpellingPerSequence) {
  const std::string_view letters = "AQgwBZ/+=";
  int accepted = 0;
  for (const char a : letters) {
    for (const char b : letters) {
      for (const char c : letters) {
        for (const char d : letters) {
          const std::string text{a, b, c, d};
          const auto decoded = base64_decode(text);
          if (!decoded) continue;
          ++accepted;
          EXPECT_EQ(base64_encode(as_bytes(*decoded)), text);
        }
      }
    }
  }
  EXPECT_GT(accepted, 8 * 8 * 8 * 8);  // All without padding, and some with it.
}

TEST(Base64, AppendsBehindWhatIsThere) {
  std::string text = "v1,";
  append_base64(text, as_bytes("f"));
  EXPECT_EQ(text, "v1,Zg==");
}

}  // namespace
}  // namespace ringpost::crypto
