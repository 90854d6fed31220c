#include "control/store/keyring.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::control {
namespace {

const std::string one = "0123456789abcdef AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const std::string two = "fedcba9876543210 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

std::string why_not(const std::string& text) {
  std::string why;
  return Keyring::parse(text, why) ? "(none)" : why;
}

TEST(Keyring, ReadsItsKeysInTheirOrder) {
  std::string why;
  const auto ring = Keyring::parse("# heading\n\n" + two + "\n#" + one + "\n" + one, why);
  ASSERT_TRUE(ring) << why;
  ASSERT_EQ(ring->keys().size(), 2u);
  EXPECT_EQ(to_text(ring->keys()[0].id), "fedcba9876543210");
  EXPECT_EQ(ring->keys()[0].bytes[31], std::byte{1});
  EXPECT_EQ(ring->keys()[1].bytes[31], std::byte{0});
}

TEST(Keyring, WritesWhatItReads) {
  const Keyring ring = Keyring{}.with_new_key().with_new_key();
  std::string why;
  const auto again = Keyring::parse(ring.to_text(), why);
  ASSERT_TRUE(again) << why;
  EXPECT_EQ(again->to_text(), ring.to_text());
}

TEST(Keyring, PutsTheNewKeyInFrontAndCanLeaveTheOthers) {
  const Keyring old = Keyring{}.with_new_key();
  const Keyring both = old.with_new_key();
  ASSERT_EQ(both.keys().size(), 2u);
  EXPECT_EQ(both.keys()[1].id, old.keys()[0].id);
  EXPECT_NE(both.keys()[0].id, old.keys()[0].id);
  EXPECT_NE(both.keys()[0].bytes, old.keys()[0].bytes);
  ASSERT_EQ(both.first_only().keys().size(), 1u);
  EXPECT_EQ(both.first_only().keys()[0].id, both.keys()[0].id);
}

TEST(Keyring, RefusesMalformedTextsAndNamesTheLine) {
  EXPECT_EQ(why_not(""), "there is no key in it");
  EXPECT_EQ(why_not("# only a heading\n"), "there is no key in it");
  for (const std::string& line :
       {std::string{"key"}, std::string{" "}, one + " ", " " + one, one + "\r", one.substr(1),
        "A" + one.substr(1), one.substr(0, one.size() - 1), one.substr(0, 16) + "  AAAA",
        one.substr(0, 17), one.substr(0, 17) + "AAAA", one.substr(0, 17) + one.substr(17) + "AAAA",
        std::string(1, '\0') + one}) {
    EXPECT_TRUE(why_not(two + "\n" + line + "\n").starts_with("line 2 is not a key")) << line;
  }
  EXPECT_EQ(why_not(one + "\n" + one), "line 2 has the id of a key above");
}

TEST(Keyring, DoesNotTellTheKeyWhenItRefuses) {
  EXPECT_EQ(why_not(one + "x").find("AAAA"), std::string::npos);
}

TEST(Keyring, HasLimits) {
  EXPECT_EQ(why_not("#" + std::string(Keyring::text_bytes_max, 'x')), "it is larger than 16 KiB");
  Keyring ring;
  for (size_t count = 0; count < Keyring::keys_max; ++count) ring = ring.with_new_key();
  EXPECT_EQ(why_not(ring.to_text()), "(none)");
  EXPECT_EQ(why_not(ring.to_text() + one), "it has more than 64 keys");
}

}  // namespace
}  // namespace ringpost::control
