#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringpost {
namespace {

struct Item {
  int value = 0;
  ListLink link;
};
using List = IntrusiveList<Item, &Item::link>;

std::vector<int> values(List& list) {
  std::vector<int> out;
  list.for_each([&](Item& item) { out.push_back(item.value); });
  return out;
}

TEST(IntrusiveList, KeepsOrderAndUnlinksAnywhere) {
  Item a{1, {}}, b{2, {}}, c{3, {}};
  List list;
  list.push_back(a);
  list.push_back(b);
  list.push_front(c);
  EXPECT_EQ(values(list), (std::vector{3, 1, 2}));
  a.link.unlink();
  EXPECT_EQ(values(list), (std::vector{3, 2}));
  EXPECT_FALSE(a.link.linked());
  EXPECT_EQ(list.pop_front().value, 3);
  EXPECT_EQ(list.back().value, 2);
}

TEST(IntrusiveList, ForgetsAnItemThatDies) {
  List list;
  {
    Item item{1, {}};
    list.push_back(item);
    EXPECT_FALSE(list.empty());
  }
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace ringpost
