#include "subscription/keyed_hash.h"

#include "base/prng.h"
#include "subscription/directory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

namespace ringpost::subscription {
namespace {

constexpr HashKey secret{0x1234, 0x5678};

uint64_t hash_of(const KeyedHash& hash, std::string_view organization, std::string_view source) {
  return hash.hash(hash.organization(organization), source);
}

TEST(KeyedHash, DependsOnTheSecretAndOnNothingElse) {
  const KeyedHash one(secret);
  const KeyedHash same(secret);
  const KeyedHash other({0x1234, 0x5679});
  EXPECT_EQ(hash_of(one, "default", "app/x"), hash_of(same, "default", "app/x"));
  EXPECT_NE(hash_of(one, "default", "app/x"), hash_of(other, "default", "app/x"));
}

// Goal: no byte of either text, and no boundary between them, is lost.
// Method: for every size up to the limit, all texts that differ from one in a single byte, in their
// size, or in where the organization ends, have hashes of their own.
TEST(KeyedHash, SeesEveryByteAndEverySize) {
  const KeyedHash hash(secret);
  std::unordered_set<uint64_t> seen;
  for (size_t size = 0; size <= source_bytes_max; ++size) {
    std::string source(size, 'a');
    ASSERT_TRUE(seen.insert(hash_of(hash, "", source)).second) << size;
    for (size_t at = 0; at < size; ++at) {
      source[at] = 'b';
      ASSERT_TRUE(seen.insert(hash_of(hash, "", source)).second) << size << " changed at " << at;
      source[at] = 'a';
    }
  }
  const std::string text(organization_bytes_max, 'a');
  for (size_t cut = 1; cut <= text.size(); ++cut) {
    const std::string_view view{text};
    ASSERT_TRUE(seen.insert(hash_of(hash, view.substr(0, cut), view.substr(cut))).second) << cut;
  }
}

// Goal: names as people give them fall evenly on the sub-tables and on the points in them.
// Method: 409,600 numbered names, 100 a sub-table; a Poisson count passes 170 about never.
TEST(KeyedHash, SpreadsNumberedNames) {
  const KeyedHash hash(secret);
  std::vector<int> per_sub_table(sub_table_count);
  std::vector<int> per_point(sub_table_count);
  std::unordered_set<uint64_t> seen;
  for (uint32_t index = 0; index < sub_table_count * 100; ++index) {
    const uint64_t value = hash_of(hash, "default", "app/" + std::to_string(index));
    seen.insert(value);
    const Place place{value};
    ++per_sub_table[place.sub_table];
    ++per_point[place.slot(sub_table_count)];
  }
  EXPECT_EQ(seen.size(), sub_table_count * 100u);
  for (const auto* counts : {&per_sub_table, &per_point}) {
    const auto [least, most] = std::minmax_element(counts->begin(), counts->end());
    EXPECT_GT(*least, 45);
    EXPECT_LT(*most, 170);
  }
}

}  // namespace
}  // namespace ringpost::subscription
