#include "subscription/pending_counts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::subscription {
namespace {

constexpr uint64_t pending_max = 10'000;

class PendingCountsTest : public testing::Test {
 protected:
  void add(std::string_view organization, uint32_t webhook, int count, size_t shard = 0) {
    for (int index = 0; index < count; ++index) {
      shards_[shard].add(organization_key(organization), webhook);
    }
  }
  /// Events for one webhook until the next is refused. @returns how many were taken.
  int fill(std::string_view organization, uint32_t webhook) {
    int count = 0;
    while (!over(organization, {webhook})) {
      add(organization, webhook, 1);
      ++count;
    }
    return count;
  }
  std::optional<OverShare> over(std::string_view organization, std::vector<uint32_t> webhooks) {
    return over_share(shards_, pending_max, organization, webhooks, adding_);
  }

  std::vector<PendingCounts> shards_{2};
  uint64_t adding_ = 0;
};

TEST_F(PendingCountsTest, CountsOrganizationsAndWebhooksOfAnyNumber) {
  for (const uint32_t webhook : {0u, 1u, 16'383u, 16'384u, 70'000'000u, ~0u}) {
    add("acme", webhook, 3);
    EXPECT_EQ(shards_[0].of_webhook(webhook), 3u) << webhook;
    shards_[0].subtract(organization_key("acme"), webhook);
    EXPECT_EQ(shards_[0].of_webhook(webhook), 2u) << webhook;
  }
  EXPECT_EQ(shards_[0].total(), 12u);
  EXPECT_EQ(shards_[0].of_organization(organization_key("acme")), 12u);
  EXPECT_EQ(shards_[0].of_organization(organization_key("other")), 0u);
  EXPECT_EQ(shards_[1].total(), 0u);
}

TEST_F(PendingCountsTest, SharesCountsWhereThereAreTooManyOrganizations) {
  for (int number = 0; number < 5000; ++number) add("organization " + std::to_string(number), 1, 1);
  EXPECT_EQ(shards_[0].total(), 5000u);
  uint64_t least = pending_max;
  for (int number = 0; number < 5000; ++number) {
    const auto key = organization_key("organization " + std::to_string(number));
    least = std::min<uint64_t>(least, shards_[0].of_organization(key));
    shards_[0].subtract(key, 1);
  }
  EXPECT_EQ(least, 1u);
  EXPECT_EQ(shards_[0].total(), 0u);
}

TEST_F(PendingCountsTest, LeavesAWebhookAThirdAndItsOrganizationHalf) {
  EXPECT_NEAR(fill("acme", 1), 3333, 2);
  const auto refused = over("acme", {1, 2});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->webhook_number, 1u);
  EXPECT_FALSE(refused->whole_organization);
  EXPECT_FALSE(over("acme", {2})) << "another webhook of the organization";
  EXPECT_GT(fill("acme", 2), 800);
  for (uint32_t webhook = 3; webhook < 200; ++webhook) fill("acme", webhook);
  EXPECT_NEAR(shards_[0].of_organization(organization_key("acme")), 5000, 250);
  EXPECT_TRUE(over("acme", {199})->whole_organization);
}

// Goal: there is room for whoever has little, however many have as much as they may.
TEST_F(PendingCountsTest, LeavesRoomForTheNextOrganization) {
  for (int number = 0; number < 10; ++number) {
    const std::string name = "organization " + std::to_string(number);
    EXPECT_GE(fill(name, static_cast<uint32_t>(number + 1)), 64) << number;
    ASSERT_LT(shards_[0].total(), pending_max);
  }
}

TEST_F(PendingCountsTest, AnEventForNobodyAndOneForOthersIsTaken) {
  fill("acme", 1);
  EXPECT_FALSE(over("acme", {}));
  EXPECT_FALSE(over("other", {7}));
}

// Goal: many webhooks with little each, and one request with much, are no way around the share.
TEST_F(PendingCountsTest, HoldsForFreshWebhooksAndForWhatARequestAdds) {
  for (uint32_t webhook = 1; webhook <= 60; ++webhook) add("acme", webhook, 100);
  EXPECT_TRUE(over("acme", {61})->whole_organization);
  EXPECT_FALSE(over("other", {62}));
  adding_ = 2'500;
  EXPECT_TRUE(over("other", {62})->whole_organization);
}

TEST_F(PendingCountsTest, LooksAtEveryShard) {
  add("acme", 1, 9000, 1);
  EXPECT_TRUE(over("acme", {1}));
  EXPECT_TRUE(over("acme", {1})->whole_organization);
}

TEST_F(PendingCountsTest, SurvivesALimitThatWasLowered) {
  add("acme", 1, 15'000);
  EXPECT_TRUE(over("acme", {1}));
  EXPECT_FALSE(over("other", {2}));
}

TEST_F(PendingCountsTest, FindsTheWebhooksWithTheMost) {
  const auto numbers = [this](size_t count) {
    std::vector<uint32_t> found;
    for (const WebhookPending& one : PendingCounts::most_pending(shards_, count)) {
      found.push_back(one.webhook_number);
      EXPECT_GT(one.pending, 0u);
    }
    return found;
  };
  EXPECT_TRUE(numbers(5).empty());
  add("acme", 7, 3);
  add("acme", 7, 2, 1);  // On both shards: together the most.
  add("acme", 40'000, 4);
  add("acme", 0, 1, 1);
  add("acme", 9, 1);
  shards_[0].subtract(organization_key("acme"), 9);
  EXPECT_EQ(numbers(5), (std::vector<uint32_t>{7, 40'000, 0}));
  EXPECT_EQ(numbers(2), (std::vector<uint32_t>{7, 40'000}));
  EXPECT_EQ(numbers(1), (std::vector<uint32_t>{7}));
  EXPECT_TRUE(numbers(0).empty());
  EXPECT_EQ(PendingCounts::most_pending(shards_, 1).front().pending, 5u);
  EXPECT_TRUE(PendingCounts::most_pending({}, 5).empty());
}

TEST_F(PendingCountsTest, KeepsTheMostOfMany) {
  for (uint32_t webhook = 1; webhook <= 500; ++webhook) {
    add("acme", webhook, static_cast<int>(webhook * 37 % 501), webhook % 2);
  }
  const auto most = PendingCounts::most_pending(shards_, 3);
  ASSERT_EQ(most.size(), 3u);
  for (uint32_t place = 0; place < 3; ++place) {
    EXPECT_EQ(most[place].pending, 500 - place);
    EXPECT_EQ(most[place].webhook_number * 37 % 501, 500 - place);
  }
}

}  // namespace
}  // namespace ringpost::subscription
