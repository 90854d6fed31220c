// Goal: the audit log gives back what was written, newest first and each organization its own, and
// stays within its bounds. Method: a store in memory.

#include "control/store/audit_log.h"

#include "control/store/store.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

class AuditLogTest : public ::testing::Test {
 protected:
  AuditEntry entry(uint64_t number, int64_t at_ns, const std::string& organization = "acme") {
    AuditEntry entry;
    for (int byte = 0; byte < 8; ++byte) {
      entry.id.bytes[static_cast<size_t>(15 - byte)] = static_cast<uint8_t>(number >> (8 * byte));
    }
    entry.at = from_unix_ns(at_ns);
    entry.organization = organization;
    return entry;
  }
  void insert(uint64_t number, int64_t at_ns, const std::string& organization = "acme") {
    ASSERT_TRUE(log().insert(entry(number, at_ns, organization))) << store_->last_problem();
  }
  /// The times of what a list shows.
  std::vector<int64_t> times(const AuditQuery& query) {
    const auto found = log().list(query);
    EXPECT_TRUE(found) << store_->last_problem();
    std::vector<int64_t> all;
    if (found) {
      for (const AuditEntry& entry : *found) all.push_back(to_unix_ns(entry.at));
    }
    return all;
  }
  AuditLog& log() { return store_->audit(); }

  std::unique_ptr<Store> store_ =
      Store::open(":memory:", {.keyring = Keyring{}.with_new_key()}).store;
};

TEST_F(AuditLogTest, GivesBackEveryField) {
  AuditEntry full = entry(1, 1'893'456'000'123'456'789);
  full.token.bytes[3] = 9;
  full.token_name = "deploy \"bot\"";
  full.token_organization = "default";
  full.operation = "webhook.update";
  full.object = "01J";
  full.members = {"url", "a\"b"};
  full.peer = "192.0.2.1:5";
  full.status = 200;
  ASSERT_TRUE(log().insert(full));
  const auto found = log().list({.organization = "acme", .limit = 10});
  ASSERT_TRUE(found) << store_->last_problem();
  ASSERT_EQ(found->size(), 1u);
  const AuditEntry& read = found->front();
  EXPECT_EQ(read.id, full.id);
  EXPECT_EQ(read.at, full.at);
  EXPECT_EQ(read.organization, full.organization);
  EXPECT_EQ(read.token, full.token);
  EXPECT_EQ(read.token_name, full.token_name);
  EXPECT_EQ(read.token_organization, full.token_organization);
  EXPECT_EQ(read.operation, full.operation);
  EXPECT_EQ(read.object, full.object);
  EXPECT_EQ(read.members, full.members);
  EXPECT_EQ(read.peer, full.peer);
  EXPECT_EQ(read.status, full.status);
}

TEST_F(AuditLogTest, ListsOneOrganizationNewestFirst) {
  insert(1, 10);
  insert(2, 30);
  insert(3, 20);  // The wall clock went back.
  insert(4, 25, "other");
  insert(5, 30);
  using Times = std::vector<int64_t>;
  EXPECT_EQ(times({.organization = "acme", .limit = 10}), (Times{30, 30, 20, 10}));
  EXPECT_EQ(times({.organization = "other", .limit = 10}), (Times{25}));
  EXPECT_EQ(times({.organization = "acm", .limit = 10}), Times{});
  EXPECT_EQ(times({.organization = "acme", .limit = 2}), (Times{30, 30}));
  EXPECT_EQ(times({.organization = "acme", .since = from_unix_ns(20), .limit = 10}),
            (Times{30, 30, 20}));
  EXPECT_EQ(times({.organization = "acme", .until = from_unix_ns(20), .limit = 10}), (Times{10}));
}

TEST_F(AuditLogTest, GoesOnBehindACursorOfTheSameOrganization) {
  for (uint64_t number = 1; number <= 5; ++number) insert(number, 7);  // All of one instant.
  const auto first = log().list({.organization = "acme", .limit = 2});
  ASSERT_EQ(first->size(), 2u);
  const Ulid last = first->back().id;
  const auto rest = log().list({.organization = "acme", .before = last, .limit = 10});
  ASSERT_EQ(rest->size(), 3u);
  EXPECT_EQ(rest->front().id, entry(3, 0).id);
  EXPECT_TRUE(log().list({.organization = "other", .before = last, .limit = 10})->empty());
  const Ulid unknown = entry(99, 0).id;
  EXPECT_TRUE(log().list({.organization = "acme", .before = unknown, .limit = 10})->empty());
}

TEST_F(AuditLogTest, RemovesOldEntriesInSmallSteps) {
  EXPECT_FALSE(log().prune({})->any_left);
  ASSERT_TRUE(store_->transaction([&]() -> Result<void> {
    for (int64_t number = 1; number <= AuditLog::prune_step + 10; ++number) {
      insert(static_cast<uint64_t>(number), number);
    }
    return {};
  }));
  EXPECT_EQ(log().prune({})->removed, 0);
  const WallTime all = from_unix_ns(1'000'000);
  auto pruned = log().prune(from_unix_ns(4));
  EXPECT_EQ(pruned->removed, 3);
  EXPECT_TRUE(pruned->any_left);
  EXPECT_EQ(log().prune(all)->removed, AuditLog::prune_step);
  pruned = log().prune(all);
  EXPECT_EQ(pruned->removed, 7);
  EXPECT_FALSE(pruned->any_left);
}

TEST_F(AuditLogTest, KeepsItsBoundOfEntries) {
  constexpr int64_t extra = 20;
  ASSERT_TRUE(store_->transaction([&]() -> Result<void> {
    for (int64_t number = 1; number <= AuditLog::entries_max + extra; ++number) {
      insert(static_cast<uint64_t>(number), number);
    }
    return {};
  }));
  EXPECT_EQ(log().prune({})->removed, extra);
  EXPECT_EQ(log().prune({})->removed, 0);
  EXPECT_EQ(times({.organization = "acme", .until = from_unix_ns(extra + 2), .limit = 10}),
            std::vector<int64_t>{extra + 1});
}

// Goal: who makes very many changes loses their own old entries, not those of others.
TEST_F(AuditLogTest, BeyondItsBoundTakesFromTheOrganizationWithMost) {
  ASSERT_TRUE(store_->transaction([&]() -> Result<void> {
    insert(1, 1, "quiet");
    for (int64_t number = 2; number <= AuditLog::entries_max + 3; ++number) {
      insert(static_cast<uint64_t>(number), number, "busy");
    }
    return {};
  }));
  EXPECT_EQ(log().prune({})->removed, 3);
  EXPECT_EQ(times({.organization = "quiet", .limit = 10}), std::vector<int64_t>{1});
  EXPECT_EQ(times({.organization = "busy", .until = from_unix_ns(6), .limit = 10}),
            std::vector<int64_t>{5});
}

}  // namespace
}  // namespace ringpost::control
