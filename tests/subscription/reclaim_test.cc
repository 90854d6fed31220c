#include "base/prng.h"
#include "subscription/table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace ringpost::subscription {
namespace {

constexpr HashKey secret{3, 4};

Webhook numbered(uint32_t number, uint64_t version) {
  Webhook made;
  made.number = number;
  made.sources = {"app/" + std::to_string(number), "*"};
  made.description = std::to_string(version);
  return made;
}

TEST(Reclaim, KeepsWhatAnOnlineReaderMayStillUse) {
  SubscriptionTable table(2, secret);
  SubscriptionTable::Reader& reader = table.reader(0);
  table.put(numbered(1, 1));
  table.publish();
  reader.online();
  const Webhook* held = reader.snapshot().webhook(1);
  for (uint64_t version = 2; version <= 5; ++version) {
    table.put(numbered(1, version));
    table.publish();
    EXPECT_FALSE(table.reclaim());
  }
  EXPECT_EQ(table.version_passed(), 1u);
  EXPECT_EQ(held->description, "1");  // The address sanitizer knows whether it lives.
  EXPECT_EQ(reader.snapshot().webhook(1)->description, "5") << "a new look gives the new version";
  EXPECT_FALSE(table.reclaim()) << "looking is not passing";
  EXPECT_EQ(reader.quiescent(), 5u);
  EXPECT_TRUE(table.reclaim());
  reader.offline();
}

TEST(Reclaim, WaitsForTheSlowestReader) {
  SubscriptionTable table(2, secret);
  table.put(numbered(1, 1));
  table.publish();
  table.reader(0).online();
  table.reader(1).online();
  const Webhook* held = table.reader(1).snapshot().webhook(1);
  table.put(numbered(1, 2));
  table.publish();
  table.reader(0).quiescent();
  EXPECT_FALSE(table.reclaim());
  EXPECT_EQ(held->description, "1");
  table.reader(1).quiescent();
  EXPECT_TRUE(table.reclaim());
  table.reader(0).offline();
  table.reader(1).offline();
}

TEST(Reclaim, FreesInOrderUpToWhatWasPassed) {
  SubscriptionTable table(1, secret);
  table.put(numbered(1, 1));
  table.publish();
  table.reader(0).online();
  table.put(numbered(1, 2));
  table.publish();
  const size_t after_one = table.stats().blocks_retired;
  EXPECT_GT(after_one, 0u);
  table.reader(0).quiescent();  // Has reached 2; what 3 replaces stays.
  table.put(numbered(1, 3));
  table.publish();
  EXPECT_EQ(table.stats().blocks_retired, after_one) << "the first lot went, as much came";
  table.reader(0).offline();
  EXPECT_TRUE(table.reclaim());
}

TEST(Reclaim, IsNotHeldBackByASleepingReader) {
  SubscriptionTable table(1, secret);
  table.reader(0).online();
  table.put(numbered(1, 0));
  table.publish();
  table.reader(0).offline();
  EXPECT_TRUE(table.reclaim());
  const size_t live = table.stats().blocks_live;
  for (uint64_t version = 0; version < 100; ++version) {
    table.put(numbered(1, version));
    table.publish();
    EXPECT_EQ(table.stats().blocks_live, live);
  }
  table.reader(0).online();
  EXPECT_EQ(table.reader(0).snapshot().version(), 101u);
  EXPECT_EQ(table.version_passed(), 101u);
  table.reader(0).offline();
}

TEST(Reclaim, ReaderThatNeverCameOnlineHoldsNothing) {
  SubscriptionTable table(64, secret);
  table.put(numbered(1, 0));
  table.publish();
  table.put(numbered(1, 1));
  table.publish();
  EXPECT_TRUE(table.reclaim());
}

// Goal: every lookup sees exactly one published version, whatever the writer does meanwhile;
// nothing is freed under a reader (address and thread sanitizers watch); nothing stays behind.
// Method: in version v, webhook k in 1..count is present unless bit k of mix(v) is set, and each
// that is present says "v" in its description; the number 0 bit has its own permanent webhook, so
// that every version changes. Readers look up over and over, sleep and wake at random, and check
// all that a snapshot says against its version number alone.
constexpr uint32_t count = 24;

bool present(uint64_t version, uint32_t number) {
  uint64_t mixed = version * 0x9e3779b97f4a7c15u;
  mixed ^= mixed >> 29;
  return number == 1 || (mixed >> number & 1) != 0;
}

std::string first_contradiction(const Snapshot& snapshot, std::vector<const Webhook*>& found) {
  const uint64_t version = snapshot.version();
  found.clear();
  snapshot.match({"default", "app/1", "t"}, found);
  size_t next = 0;
  for (uint32_t number = 1; number <= count; ++number) {
    const Webhook* by_number = snapshot.webhook(number);
    const std::string where = " at version " + std::to_string(version);
    if (!present(version, number)) {
      if (by_number != nullptr) return "phantom " + std::to_string(number) + where;
      continue;
    }
    if (by_number == nullptr) return "lost " + std::to_string(number) + where;
    if (next >= found.size() || found[next] != by_number) return "unmatched" + where;
    if (by_number->description != std::to_string(version)) {
      return "mixed with " + by_number->description + where;
    }
    ++next;
  }
  return next == found.size() ? "" : "too many matches";
}

class Stress {
 public:
  void read(uint32_t index) {
    SubscriptionTable::Reader& reader = table_.reader(index);
    Prng random(index + 1);
    std::vector<const Webhook*> found;
    uint64_t newest = 0;
    reader.online();
    while (!stop_.load(std::memory_order_relaxed)) {
      const Snapshot& held = reader.snapshot();
      for (uint64_t looks = random.between(1, 4); looks > 0; --looks) {
        const Snapshot& now = reader.snapshot();
        if (now.version() < newest) fail("went back in time");
        newest = now.version();
        fail(first_contradiction(now, found));
        fail(first_contradiction(held, found));
      }
      if (reader.quiescent() < newest) fail("announced less than it saw");
      lookups_.fetch_add(1, std::memory_order_relaxed);
      if (random.chance(1, 4)) {
        reader.offline();
        std::this_thread::yield();
        reader.online();
      }
    }
    reader.offline();
  }

  void write(uint64_t versions, uint64_t lookups_wanted) {
    for (uint64_t version = table_.current().version() + 1;
         version <= versions || lookups_.load(std::memory_order_relaxed) < lookups_wanted;
         ++version) {
      for (uint32_t number = 1; number <= count; ++number) {
        present(version, number) ? table_.put(numbered(number, version)) : table_.remove(number);
      }
      ASSERT_EQ(table_.publish(), version);
      if (version % 16 == 0) std::this_thread::yield();
    }
  }

  SubscriptionTable& table() { return table_; }
  void stop() { stop_.store(true, std::memory_order_relaxed); }
  bool failed() const { return failed_.load(); }
  const std::string& failure() const { return failure_; }

 private:
  void fail(const std::string& what) {
    if (what.empty() || failed_.exchange(true)) return;
    failure_ = what;  // Read after the threads are joined.
  }

  SubscriptionTable table_{3, secret};
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> lookups_{0};
  std::atomic<bool> failed_{false};
  std::string failure_;
};

TEST(Reclaim, EveryLookupSeesOnePublishedVersionWhileTheWriterNeverPauses) {
  Stress stress;
  stress.write(1, 0);
  std::vector<std::thread> readers;
  for (uint32_t index = 0; index < 3; ++index) {
    readers.emplace_back([&stress, index] { stress.read(index); });
  }
  stress.write(2000, 2000);
  stress.stop();
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(stress.failed()) << stress.failure();
  EXPECT_TRUE(stress.table().reclaim());

  // What is live now is what the last version alone needs: a fresh table of the same webhooks.
  SubscriptionTable fresh(0, secret);
  stress.table().current().for_each_webhook([&](const Webhook& one) { fresh.put(one); });
  fresh.publish();
  const SubscriptionTable::Stats stats = stress.table().stats();
  EXPECT_EQ(stats.source_bytes, fresh.stats().source_bytes);
  EXPECT_EQ(stats.webhooks, fresh.stats().webhooks);
  EXPECT_LE(stats.blocks_live, fresh.stats().blocks_live + 2 * branch_count);
}

}  // namespace
}  // namespace ringpost::subscription
