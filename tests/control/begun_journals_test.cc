#include "control/begun_journals.h"

#include "control/store/store.h"

#include <gtest/gtest.h>

namespace ringpost::control {
namespace {

TEST(BegunJournals, AreRememberedByTheStore) {
  const auto store = Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store;
  BegunJournals begun(*store);
  ASSERT_TRUE(begun.load());
  EXPECT_TRUE(begun.oldest().empty());
  ASSERT_TRUE(begun.replace({{0, 1}, {7, 12}}));
  ASSERT_TRUE(begun.expire(7, 14));
  ASSERT_TRUE(begun.expire(3, 9));  // Not in use.
  BegunJournals again(*store);
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.oldest(), (BegunJournals::Oldest{{0, 1}, {7, 14}}));
}

TEST(BegunJournals, TextThatMakesNoSenseIsNotBelieved) {
  const BegunJournals::Oldest two{{0, 1}, {255, 4294967295}};
  EXPECT_EQ(to_text(two), "0:1,255:4294967295");
  EXPECT_EQ(parse_begun_journals(to_text(two)), two);
  EXPECT_EQ(parse_begun_journals(""), BegunJournals::Oldest{});
  for (const char* text : {"0", "0:", "0:0", "256:1", "0:1,", ",0:1", "1:1,0:1", "0:1,0:2", "0:01",
                           "0:4294967296", "a:1", "0:1 "}) {
    EXPECT_FALSE(parse_begun_journals(text)) << text;
  }
}

}  // namespace
}  // namespace ringpost::control
