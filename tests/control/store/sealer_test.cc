#include "control/store/sealer.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::control {
namespace {

constexpr Sealer::Place place{.table = "webhook", .column = "secret", .row = "01"};

TEST(Sealer, OpensWhatItSealedAndShowsNothingOfIt) {
  const Sealer sealer(Keyring{}.with_new_key());
  for (const std::string& plain :
       {std::string{}, std::string{"whsec_clear"}, std::string(9, '\0')}) {
    const std::string sealed = sealer.seal(place, plain);
    EXPECT_EQ(sealed.size(), 9 + 28 + plain.size());
    EXPECT_EQ(sealed.find("clear"), std::string::npos);
    EXPECT_EQ(*sealer.open(place, as_bytes(sealed)), plain);
  }
}

TEST(Sealer, OpensAtItsPlaceOnly) {
  const Sealer sealer(Keyring{}.with_new_key());
  const std::string sealed = sealer.seal(place, "secret");
  const Sealer::Place others[] = {
      {.table = "token", .column = "secret", .row = "01"},
      {.table = "webhook", .column = "headers", .row = "01"},
      {.table = "webhook", .column = "secret", .row = "02"},
      {.table = "webhook", .column = "secret", .row = ""},
      {.table = "webhooksecret", .column = "", .row = "01"},
  };
  for (const Sealer::Place& other : others) {
    EXPECT_EQ(sealer.open(other, as_bytes(sealed)).error().code, Errc::corrupt);
  }
}

TEST(Sealer, NoticesEveryChangedBit) {
  const Sealer sealer(Keyring{}.with_new_key());
  const std::string sealed = sealer.seal(place, "secret");
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(sealer.open(place, as_bytes(changed))) << bit;
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(sealer.open(place, as_bytes(sealed.substr(0, size)))) << size;
  }
}

TEST(Sealer, SealsWithTheFirstKeyAndOpensWithAll) {
  const Keyring old = Keyring{}.with_new_key();
  const Keyring both = old.with_new_key();
  const std::string by_old = Sealer(old).seal(place, "old");
  const std::string by_both = Sealer(both).seal(place, "new");
  EXPECT_EQ(*Sealer(both).open(place, as_bytes(by_old)), "old");
  EXPECT_EQ(*Sealer(both.first_only()).open(place, as_bytes(by_both)), "new");
  EXPECT_EQ(Sealer(old).open(place, as_bytes(by_both)).error().code, Errc::not_found);
  EXPECT_EQ(Sealer::key_of(as_bytes(by_old)), to_text(old.keys()[0].id));
  EXPECT_EQ(Sealer::key_of(as_bytes(by_both)), to_text(both.keys()[0].id));
  EXPECT_EQ(Sealer::key_of(as_bytes("short")), "");
}

TEST(Sealer, TellsAnotherKeyOfTheSameIdFromAnAbsentOne) {
  std::string why;
  const auto one = Keyring::parse("0123456789abcdef " + std::string(43, 'A') + "=", why);
  const auto other = Keyring::parse("0123456789abcdef B" + std::string(42, 'A') + "=", why);
  ASSERT_TRUE(one && other) << why;
  const std::string sealed = Sealer(*one).seal(place, "secret");
  EXPECT_EQ(Sealer(*other).open(place, as_bytes(sealed)).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace ringpost::control
