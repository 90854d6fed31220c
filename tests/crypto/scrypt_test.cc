#include "crypto/scrypt.h"

#include "crypto/base64.h"
#include "crypto/hex.h"

#include <gtest/gtest.h>

#include <string>

// Goal: hashes are RFC 7914's, a hostile text takes neither memory nor time, and only the password
// matches.

namespace ringpost::crypto {
namespace {

std::string hash_of(std::string_view password, std::string_view salt, ScryptCost cost) {
  std::string out(64, '\0');
  const auto done = scrypt(as_bytes(password), as_bytes(salt), cost,
                           {reinterpret_cast<std::byte*>(out.data()), out.size()});
  return done ? hex_encode(as_bytes(out)) : std::string{name(done.error().code)};
}

constexpr std::string_view third_vector =
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";

// RFC 7914, 12, but for the last vector, which takes 1 GiB.
TEST(Scrypt, DerivesWhatTheRfcDerives) {
  EXPECT_EQ(hash_of("", "", {.log2_n = 4, .r = 1, .p = 1}),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
            "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
  EXPECT_EQ(hash_of("password", "NaCl", {.log2_n = 10, .r = 8, .p = 16}),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
  EXPECT_EQ(hash_of("pleaseletmein", "SodiumChloride", {.log2_n = 14, .r = 8, .p = 1}),
            third_vector);
}

TEST(Scrypt, RefusesCostsBeyondTheRfcAndBeyondItsMemory) {
  EXPECT_EQ(hash_of("p", "s", {.log2_n = 0, .r = 8, .p = 1}), "malformed");
  EXPECT_EQ(hash_of("p", "s", {.log2_n = 10, .r = 0, .p = 1}), "malformed");
  EXPECT_EQ(hash_of("p", "s", {.log2_n = 10, .r = 8, .p = 0}), "malformed");
  EXPECT_EQ(hash_of("p", "s", {.log2_n = 16, .r = 1, .p = 1}), "malformed") << "N < 2^(16 r)";
  EXPECT_EQ(hash_of("p", "s", {.log2_n = 20, .r = 8, .p = 1}), "too_large");
}

std::string third_vector_text(std::string_view cost = "14$8$1") {
  return "scrypt$" + std::string{cost} + "$" + base64_encode(as_bytes("SodiumChloride")) + "$" +
         base64_encode(as_bytes(*hex_decode(third_vector)));
}

TEST(PasswordHash, MatchesThePasswordOfTheRfcOnly) {
  std::string why;
  const auto hash = PasswordHash::parse(third_vector_text(), why);
  ASSERT_TRUE(hash) << why;
  EXPECT_TRUE(hash->matches("pleaseletmein"));
  EXPECT_FALSE(hash->matches("pleaseletmeit"));
  EXPECT_FALSE(hash->matches("pleaseletmein "));
  EXPECT_FALSE(hash->matches(""));
  EXPECT_EQ(hash->to_text(), third_vector_text());
}

TEST(PasswordHash, HashesEachPasswordWithASaltOfItsOwn) {
  const PasswordHash hash = PasswordHash::of("correct horse");
  EXPECT_TRUE(hash.matches("correct horse"));
  EXPECT_FALSE(hash.matches("correct horsf"));
  EXPECT_NE(hash.to_text(), PasswordHash::of("correct horse").to_text());
  EXPECT_EQ(hash.to_text().find("horse"), std::string::npos);
  std::string why;
  const auto again = PasswordHash::parse(hash.to_text(), why);
  ASSERT_TRUE(again) << why;
  EXPECT_EQ(again->to_text(), hash.to_text());
}

TEST(PasswordHash, HasOneOfNobodyThatCostsTheSame) {
  const auto cost_of = [](const PasswordHash& hash) {
    const std::string text = hash.to_text();
    return text.substr(0, text.rfind('$', text.rfind('$') - 1));
  };
  const PasswordHash nobodys = PasswordHash::nobodys();
  EXPECT_EQ(cost_of(nobodys), cost_of(PasswordHash::of("correct horse")));
  EXPECT_EQ(nobodys.to_text().size(), PasswordHash::of("correct horse").to_text().size());
  EXPECT_FALSE(nobodys.matches(""));
  EXPECT_FALSE(nobodys.matches("correct horse"));
  EXPECT_NE(nobodys.to_text(), PasswordHash::nobodys().to_text());
}

TEST(PasswordHash, MatchesNoPasswordBeyondTheLimit) {
  const std::string longest(password_bytes_max, 'p');
  const PasswordHash hash = PasswordHash::of(longest + 'p');
  EXPECT_FALSE(hash.matches(longest + 'p'));
  EXPECT_FALSE(hash.matches(longest));
}

TEST(PasswordHash, RefusesTextsOfAnotherForm) {
  const std::string good = third_vector_text();
  std::vector<std::string> bad{"",
                               "scrypt",
                               "argon2id$14$8$1$c2FsdHNhbHQ=$aGFzaA==",
                               good + "$",
                               "$" + good,
                               " " + good,
                               good + "\n",
                               third_vector_text("14$8"),
                               third_vector_text("14$8$1$1"),
                               third_vector_text("014$8$1"),
                               third_vector_text("+14$8$1"),
                               third_vector_text("-14$8$1"),
                               third_vector_text("14$8$"),
                               third_vector_text("14$8$1x"),
                               third_vector_text("4294967310$8$1"),
                               "scrypt$14$8$1$short12$" + std::string(44, 'A'),
                               "scrypt$14$8$1$c2FsdA==$" + std::string(44, 'A'),
                               "scrypt$14$8$1$c2FsdHNhbHQ=$aGFzaA==",
                               "scrypt$14$8$1$c2FsdHNhbHQ=$" + std::string(300, 'A')};
  for (const std::string& text : bad) {
    std::string why;
    EXPECT_FALSE(PasswordHash::parse(text, why)) << text;
    EXPECT_NE(why, "") << text;
  }
}

TEST(PasswordHash, RefusesCostsThatTakeMemoryOrTimeOrAreWeak) {
  const std::pair<const char*, const char*> bad[] = {
      {"13$8$1", "guessed too quickly"},
      {"4$8$1", "guessed too quickly"},
      {"14$1$1", "8 to 64"},
      {"14$8$0", "1 to 64"},
      {"18$8$1", "128 MiB"},
      {"14$65$1", "8 to 64"},
      {"20$64$1", "128 MiB"},
      {"21$8$1", "above 20"},
      {"4294967295$8$1", "above 20"},
      {"17$8$2", "too long"},
      {"14$8$4294967295", "1 to 64"},
      {"14$64$2", "too long"},
  };
  for (const auto& [cost, told] : bad) {
    std::string why;
    EXPECT_FALSE(PasswordHash::parse(third_vector_text(cost), why)) << cost;
    EXPECT_NE(why.find(told), std::string::npos) << cost << ": " << why;
  }
  for (const char* cost : {"17$8$1", "16$8$2", "15$8$4", "14$64$1"}) {
    std::string why;
    EXPECT_TRUE(PasswordHash::parse(third_vector_text(cost), why)) << cost << ": " << why;
  }
}

}  // namespace
}  // namespace ringpost::crypto
