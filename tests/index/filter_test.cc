// Goal: a filter never denies what was added, folded or not, and rarely says "maybe" of others.
// Method: many keys, counted.

#include "index/filter.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ringpost::index {
namespace {

constexpr uint64_t keys = 20'000;

double false_share(const Filter& filter) {
  uint64_t found = 0;
  for (uint64_t key = keys; key < 2 * keys; ++key) found += filter.may_have(mix(key)) ? 1 : 0;
  return static_cast<double>(found) / static_cast<double>(keys);
}

bool has_all(const Filter& filter) {
  for (uint64_t key = 0; key < keys; ++key) {
    if (!filter.may_have(mix(key))) return false;
  }
  return true;
}

TEST(Filter, KeepsWhatWasAddedWhenItIsFolded) {
  Filter filter(keys);
  for (uint64_t key = 0; key < keys; ++key) filter.add(mix(key));
  const double limits[] = {0.025, 0.11, 0.38};
  for (const double limit : limits) {
    EXPECT_TRUE(has_all(filter));
    EXPECT_LT(false_share(filter), limit);
    filter.fold();
  }
  while (filter.can_fold()) filter.fold();
  EXPECT_TRUE(has_all(filter));
}

TEST(Filter, IsTheSameFromItsBytes) {
  Filter filter(100);
  filter.add(mix(1));
  const Filter copy(std::vector<std::byte>(filter.bytes().begin(), filter.bytes().end()));
  EXPECT_TRUE(copy.may_have(mix(1)));
  EXPECT_FALSE(copy.may_have(mix(2)));
}

TEST(Filter, DeniesEverythingWithoutKeys) {
  EXPECT_FALSE(Filter().may_have(0));
  EXPECT_FALSE(Filter().may_have(UINT64_MAX));
  EXPECT_FALSE(Filter().can_fold());
}

}  // namespace
}  // namespace ringpost::index
