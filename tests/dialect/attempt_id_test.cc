// Goal: each attempt has an id of its own, which leads back to its delivery.

#include "dialect/attempt_id.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>

namespace ringpost::dialect {
namespace {

const Ulid delivery = *Ulid::parse_uuid("018f6b1e-5555-7abc-8def-0000000000ff");

/// The attempt that `id` is found to be of `delivery`; 0: none.
uint32_t attempt_of(const Ulid& id) {
  const auto found = find_by_attempt(id, [](const Ulid& of, uint32_t attempt) {
    return of == delivery ? std::optional{attempt} : std::nullopt;
  });
  return found.value_or(0);
}

TEST(AttemptId, IsTheDeliverysForTheFirstAttemptAndAnotherForEachMore) {
  EXPECT_EQ(attempt_id(delivery, 1), delivery);
  std::set<std::string> ids;
  for (uint32_t attempt = 1; attempt <= 33; ++attempt) {
    ids.insert(attempt_id(delivery, attempt).to_text());
  }
  EXPECT_EQ(ids.size(), 33u);
}

// The longest schedule has 32 entries.
TEST(AttemptId, LeadsBackToTheDeliveryForEveryAttemptOfTheLongestSchedule) {
  for (uint32_t attempt = 1; attempt <= 33; ++attempt) {
    EXPECT_EQ(attempt_of(attempt_id(delivery, attempt)), attempt);
  }
  EXPECT_EQ(attempt_of(attempt_id(delivery, 34)), 0u);
  EXPECT_EQ(attempt_of(*Ulid::parse_uuid("018f6b1e-5555-7abc-8def-0000000001ff")), 0u);
}

}  // namespace
}  // namespace ringpost::dialect
