#include "base/text.h"

#include <gtest/gtest.h>

namespace ringpost {
namespace {

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  replace_all(text, what, with);
  return text;
}

TEST(ReplaceAll, ReplacesEachPlaceOnce) {
  EXPECT_EQ(replaced("a token, a token", "token", "*****"), "a *****, a *****");
  EXPECT_EQ(replaced("aaa", "aa", "b"), "ba");
  EXPECT_EQ(replaced("nothing", "token", "*****"), "nothing");
  EXPECT_EQ(replaced("", "a", "b"), "");
  EXPECT_EQ(replaced("text", "", "b"), "text");
  // What is put in is not looked at again.
  EXPECT_EQ(replaced("*", "*", "*****"), "*****");
}

}  // namespace
}  // namespace ringpost
