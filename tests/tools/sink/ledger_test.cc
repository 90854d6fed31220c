#include "sink/ledger.h"

#include <gtest/gtest.h>

namespace ringpost::sink {
namespace {

constexpr HashKey hash_key{1, 2};

TEST(Ledger, TellsAnotherAttemptFromARepeatAfterSuccess) {
  Ledger ledger(hash_key, 0);
  ledger.note({.delivery = "a"});  // Failed.
  Ledger::Delivery* second = ledger.note({.delivery = "a"});
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(ledger.duplicates(), 1u);
  EXPECT_EQ(ledger.duplicates_after_success(), 0u);
  second->succeeded = true;
  ledger.note({.delivery = "a"});
  ledger.note({.delivery = "b"});
  EXPECT_EQ(ledger.duplicates(), 2u);
  EXPECT_EQ(ledger.duplicates_after_success(), 1u);
  EXPECT_EQ(ledger.deliveries(), 2u);
}

TEST(Ledger, FindsNoDuplicatesAmongUnknownDeliveries) {
  Ledger ledger(hash_key, 0);
  EXPECT_EQ(ledger.note({}), nullptr);
  EXPECT_EQ(ledger.note({}), nullptr);
  EXPECT_EQ(ledger.duplicates(), 0u);
}

TEST(Ledger, CountsWhatIsMissing) {
  Ledger ledger(hash_key, 10);
  EXPECT_EQ(ledger.missing_count(), 10u);
  for (const uint64_t number : {1, 2, 2, 5, 10, 0, 11}) ledger.note({.number = number});
  EXPECT_EQ(ledger.missing_count(), 6u);
  EXPECT_EQ(ledger.first_missing(4), (std::vector<uint64_t>{3, 4, 6, 7}));
  EXPECT_EQ(ledger.first_missing(100).size(), 6u);
}

TEST(Ledger, KeepsNoRoomForNumbersBeyondTheExpected) {
  Ledger ledger(hash_key, 3);
  ledger.note({.number = UINT64_MAX});
  EXPECT_EQ(ledger.missing_count(), 3u);
}

TEST(Ledger, FindsDisorderWithinAKeyOnly) {
  Ledger ledger(hash_key, 0);
  ledger.note({.delivery = "1", .number = 1, .key = "x"});
  ledger.note({.delivery = "3", .number = 3, .key = "x"});
  ledger.note({.delivery = "2", .number = 2, .key = "y"});
  EXPECT_EQ(ledger.out_of_order(), 0u);
  ledger.note({.delivery = "2x", .number = 2, .key = "x"});
  EXPECT_EQ(ledger.out_of_order(), 1u);
  ASSERT_EQ(ledger.disorders().size(), 1u);
  EXPECT_EQ(ledger.disorders()[0].key, "x");
  EXPECT_EQ(ledger.disorders()[0].number, 2u);
  EXPECT_EQ(ledger.disorders()[0].after, 3u);
}

TEST(Ledger, TakesAttemptsOfTheHeadAndRepeatsForOrder) {
  Ledger ledger(hash_key, 0);
  ledger.note({.delivery = "1", .number = 1, .key = "x"});
  ledger.note({.delivery = "1", .number = 1, .key = "x"})->succeeded = true;
  ledger.note({.delivery = "2", .number = 2, .key = "x"});
  ledger.note({.delivery = "1", .number = 1, .key = "x"});  // Repeated after its success.
  EXPECT_EQ(ledger.out_of_order(), 0u);
}

TEST(Ledger, FindsAnAttemptOfTheHeadThatOthersOvertook) {
  Ledger ledger(hash_key, 0);
  ledger.note({.delivery = "1", .number = 1, .key = "x"});  // Failed.
  ledger.note({.delivery = "2", .number = 2, .key = "x"});
  ledger.note({.delivery = "1", .number = 1, .key = "x"});
  EXPECT_EQ(ledger.out_of_order(), 1u);
}

TEST(Ledger, IgnoresOrderWithoutAKey) {
  Ledger ledger(hash_key, 0);
  ledger.note({.number = 2});
  ledger.note({.number = 1});
  EXPECT_EQ(ledger.out_of_order(), 0u);
}

TEST(Ledger, KeepsTheFirstDisordersOnly) {
  Ledger ledger(hash_key, 0);
  ledger.note({.number = 1000, .key = ""});
  for (uint64_t number = 1; number <= 100; ++number) ledger.note({.number = number, .key = ""});
  EXPECT_EQ(ledger.out_of_order(), 100u);
  EXPECT_EQ(ledger.disorders().size(), 10u);
}

}  // namespace
}  // namespace ringpost::sink
