#include "control/store/set_aside_table.h"

#include "control/store/store.h"

#include <gtest/gtest.h>

#include <string>

namespace ringpost::control {
namespace {

class SetAsideTableTest : public ::testing::Test {
 protected:
  SetAsideTableTest()
      : store_(Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store),
        table_(store_->set_aside()) {}

  SetAsideEvent event(uint32_t number) {
    SetAsideEvent event{.organization = "default",
                        .id = std::to_string(number),
                        .source = "app/x",
                        .type = "build/finished",
                        .accepted_at = from_unix_ns(1),
                        .set_aside_at = from_unix_ns(2),
                        .status = 422,
                        .reason = "why"};
    event.uid.bytes[0] = static_cast<uint8_t>(number >> 8);
    event.uid.bytes[1] = static_cast<uint8_t>(number);
    return event;
  }

  std::unique_ptr<Store> store_;
  SetAsideTable& table_;
};

TEST_F(SetAsideTableTest, ListsTheLastFirstPageByPage) {
  for (uint32_t number = 0; number < 3; ++number) ASSERT_TRUE(table_.insert(event(number)));
  const auto first = table_.list(std::nullopt, 2);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 2u);
  EXPECT_EQ((*first)[0].id, "2");
  EXPECT_EQ((*first)[1].uid, event(1).uid);
  EXPECT_EQ((*first)[1].accepted_at, from_unix_ns(1));
  EXPECT_EQ((*first)[1].set_aside_at, from_unix_ns(2));
  EXPECT_EQ((*first)[1].status, 422);
  EXPECT_EQ((*first)[1].reason, "why");
  const auto rest = table_.list(first->back().uid, 2);
  ASSERT_TRUE(rest);
  ASSERT_EQ(rest->size(), 1u);
  EXPECT_EQ(rest->front().id, "0");
  EXPECT_TRUE(table_.list(event(9).uid, 2)->empty());
}

TEST_F(SetAsideTableTest, HasAnEventOnce) {
  ASSERT_TRUE(table_.insert(event(1)));
  ASSERT_TRUE(table_.insert(event(1)));
  EXPECT_EQ(*table_.count(), 1u);
}

TEST_F(SetAsideTableTest, ForgetsTheOldest) {
  for (uint32_t number = 0; number < SetAsideTable::entries_max + 2; ++number) {
    ASSERT_TRUE(table_.insert(event(number)));
  }
  EXPECT_EQ(*table_.count(), static_cast<uint64_t>(SetAsideTable::entries_max));
  EXPECT_EQ(table_.list(event(3).uid, 10)->size(), 1u);
}

TEST_F(SetAsideTableTest, MarksWhatIsToBeSentAgain) {
  for (uint32_t number = 0; number < 4; ++number) ASSERT_TRUE(table_.insert(event(number)));
  SetAsideEvent other = event(9);
  other.id = "1";
  other.source = "app/y";
  ASSERT_TRUE(table_.insert(other));
  EXPECT_EQ(*table_.mark({.id = "2", .source = {}}), 1u);
  EXPECT_EQ(*table_.mark({.id = "1", .source = "app/y"}), 1u);
  EXPECT_EQ(*table_.mark({.id = "1", .source = "app/z"}), 0u);
  EXPECT_EQ(*table_.marked_count(), 2u);
  const auto marked = table_.marked(10);
  ASSERT_EQ(marked->size(), 2u);
  EXPECT_EQ((*marked)[0].id, "2");
  EXPECT_TRUE((*marked)[0].again);
  EXPECT_EQ((*marked)[1].uid, other.uid);
  EXPECT_EQ(table_.marked(1)->size(), 1u);
  ASSERT_TRUE(table_.insert(event(2)));  // Refused again.
  EXPECT_EQ(*table_.marked_count(), 1u);
  EXPECT_EQ(*table_.mark({}), 5u);
}

TEST_F(SetAsideTableTest, ForgetsWhatIsChosen) {
  for (uint32_t number = 0; number < 4; ++number) ASSERT_TRUE(table_.insert(event(number)));
  EXPECT_TRUE(*table_.contains(event(1).uid));
  EXPECT_EQ(*table_.remove({.id = "1", .source = {}}), 1u);
  EXPECT_FALSE(*table_.contains(event(1).uid));
  ASSERT_TRUE(table_.remove(event(2).uid));
  ASSERT_TRUE(table_.remove(event(2).uid));
  EXPECT_EQ(*table_.count(), 2u);
  EXPECT_EQ(*table_.remove({.id = {}, .source = "app/x"}), 2u);
  EXPECT_EQ(*table_.count(), 0u);
}

}  // namespace
}  // namespace ringpost::control
