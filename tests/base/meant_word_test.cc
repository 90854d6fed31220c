#include "base/meant_word.h"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

TEST(MeantWord, IsTheNearestOneUnlessItIsAnotherWord) {
  const std::vector<std::string> known = {"status", "start", "--since"};
  EXPECT_EQ(meant_word(known, "staus"), "status");
  EXPECT_EQ(meant_word(known, "strt"), "start");
  EXPECT_EQ(meant_word(known, "--sincce"), "--since");
  EXPECT_EQ(meant_word(known, "elephant"), std::nullopt);
  EXPECT_EQ(meant_word(known, "x"), std::nullopt);
  EXPECT_EQ(meant_word(known, ""), std::nullopt);
  EXPECT_EQ(meant_word({}, "status"), std::nullopt);
  EXPECT_EQ(meant_word(known, std::string(100'000, 's')), std::nullopt);
}

}  // namespace
}  // namespace ringpost
