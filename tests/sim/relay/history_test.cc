// Goal: the history that people see ends where the journal ends, and not before: whatever is
// sealed, restarted, damaged or short of space meanwhile. Method: relays with tiny segments, so
// that most of the history is in index files. What the API lists is held against what was
// acknowledged.

#include "sim/relay/lives.h"
#include "sim/relay/seeds.h"
#include "sim/relay/small_world.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ringpost::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Answer = HttpReceiver::Answer;
using Request = HttpReceiver::Request;

void use_tiny_segments(shard::RelayOptions& options) {
  options.segment_bytes = 64 * 1024;
}

/// A relay to which events are posted, some of which fail the first time.
struct HistoryWorld : SmallWorld {
  explicit HistoryWorld(uint64_t seed, RelayHarness::Adjust adjust = use_tiny_segments)
      : SmallWorld(seed, 1 + static_cast<uint32_t>(seed % 3), std::move(adjust)) {
    answer = [this](const Request&) {
      return Answer{.status = world.random().chance(1, 8) ? 500 : 200};
    };
    webhook = hook(R"(,"schedule":[1,1,2,2,3,3,4,4])");
    world.run_for(seconds{1});
  }

  void post_some(size_t count) {
    for (size_t left = count; left > 0; --left) {
      const std::string id = std::to_string(++last_number);
      const std::string filler(world.random().between(10, 6000), 'x');
      const int status =
          api.post_event(id, "app/one", "build/done", R"({"filler":")" + filler + R"("})");
      if (status == 202) acknowledged.push_back(id);
      world.run_for(world.between({}, milliseconds{50}));
    }
  }
  std::vector<std::string> index_files() const {
    std::vector<std::string> found;
    for (const std::string& file : const_cast<HistoryWorld*>(this)->world.disk().files()) {
      if (file.ends_with(".idx")) found.push_back(file);
    }
    return found;
  }
  /// What no relay does to its indexes.
  void spoil_indexes() {
    for (const std::string& file : index_files()) {
      const uint64_t size = world.disk().read_file(file).size();
      ASSERT_GT(size, 0u) << file;
      switch (world.random().below(6)) {
        case 0: world.disk().erase(file); break;
        case 1: world.disk().truncate(file, world.random().below(size)); break;
        case 2:
          world.disk().flip_bit(file, world.random().below(size),
                                static_cast<unsigned>(world.random().below(8)));
          break;
        default: break;
      }
    }
  }
  bool run_until_indexed() {
    for (int second = 0; second < 120; ++second) {
      const std::string status = api.call("GET", "/v1/status").body;
      if (status.find("\"segments_unindexed\":0") != std::string::npos) return true;
      world.run_for(seconds{1});
    }
    return false;
  }
  /// Each acknowledged event once, newest first, delivered, and to be found by its ids.
  void check_all() {
    ASSERT_TRUE(settle());
    ASSERT_TRUE(run_until_indexed());
    const std::vector<DeliveryItem> listed = api.deliveries(webhook);
    std::vector<std::string> ids;
    for (const DeliveryItem& item : listed) {
      ids.push_back(item.event_id);
      EXPECT_EQ(item.status, "delivered") << item.event_id << ", attempts " << item.attempt_count;
      EXPECT_GE(item.attempt_count, 1u);
    }
    const std::vector<std::string> expected(acknowledged.rbegin(), acknowledged.rend());
    ASSERT_EQ(ids, expected);
    ASSERT_FALSE(ids.empty());
    for (int sample = 0; sample < 10; ++sample) {
      const DeliveryItem& item = listed[world.random().below(listed.size())];
      const size_t attempts = api.attempts(item.id).size();
      EXPECT_LE(attempts, item.attempt_count) << item.event_id;
      if (!was_full) {  // A full disk has no room for some of them.
        EXPECT_EQ(attempts, item.attempt_count) << item.event_id;
      }
      const HttpMessage event = api.call("GET", "/v1/events/" + item.event_id);
      EXPECT_EQ(event.status(), 200);
      EXPECT_NE(event.body.find(item.id), std::string::npos) << event.body;
    }
  }

  std::string webhook;
  uint64_t last_number = 0;
  std::vector<std::string> acknowledged;  ///< The oldest first.
  bool was_full = false;
};

TEST(RelayHistory, IsWholeThroughSealingRestartsAndDamage) {
  const Seeds seeds = seeds_to_run(20);
  for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    SCOPED_TRACE(seed);
    HistoryWorld history(seed);
    for (int life = 0; life < 3; ++life) {
      history.post_some(30);
      if (history.world.random().chance(1, 2)) history.check_all();
      end_life(history.world, history.relay);
      if (history.world.crashed()) history.world.restart();
      history.spoil_indexes();
      ASSERT_EQ(begin_life(history.world, history.relay), "");
    }
    history.check_all();
    EXPECT_GE(history.index_files().size(), 3u);
    if (::testing::Test::HasFailure()) return;
  }
}

// A page that was asked before a segment was sealed, or the relay restarted, goes on where it
// ended.
TEST(RelayHistory, CursorsOutliveSealingAndRestarts) {
  HistoryWorld history(1);
  history.post_some(20);
  ASSERT_TRUE(history.settle());
  std::vector<std::string> ids;
  std::string cursor;
  do {
    const HttpMessage page =
        history.api.call("GET", "/v1/webhooks/" + history.webhook + "/deliveries?limit=3" +
                                    (cursor.empty() ? "" : "&cursor=" + cursor));
    ASSERT_EQ(page.status(), 200) << page.body;
    EXPECT_NE(page.body.find("\"cut\":false"), std::string::npos) << page.body;
    for (size_t at = 0; (at = page.body.find("\"event\":{\"id\":\"", at)) != std::string::npos;) {
      at += 15;
      ids.push_back(page.body.substr(at, page.body.find('"', at) - at));
    }
    const size_t next = page.body.find("\"next_cursor\":\"");
    cursor = next == std::string::npos
                 ? ""
                 : page.body.substr(next + 15, page.body.find('"', next + 15) - next - 15);
    history.post_some(12);
    if (ids.size() % 2 == 0) history.restart(Crash::kill);
    ASSERT_TRUE(history.run_until_indexed());
  } while (!cursor.empty());
  std::vector<std::string> expected;
  for (int number = 20; number > 0; --number) expected.push_back(std::to_string(number));
  EXPECT_EQ(ids, expected);
}

// Reliability D-5: only the history waits for room, and it is whole again when there is some.
TEST(RelayHistory, IsMadeAgainWhenTheDiskWasFull) {
  HistoryWorld history(3);
  history.was_full = true;
  history.post_some(10);
  for (int round = 0; round < 3; ++round) {
    history.world.disk().set_capacity(history.world.disk().used_bytes());
    history.post_some(40);  // Segments that were prepared are filled and sealed; then 507 or 503.
    history.world.run_for(seconds{15});
    history.world.disk().set_capacity(uint64_t{1} << 40);
    history.world.run_for(seconds{15});
    history.post_some(40);
    history.check_all();
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(history.index_files().size(), 3u);
}

TEST(RelayHistory, EndsWhereRetentionEnds) {
  HistoryWorld history(4, [](shard::RelayOptions& options) {
    use_tiny_segments(options);
    options.control.retention.bytes = 12 * options.segment_bytes;
  });
  for (int round = 0; round < 3; ++round) {
    history.post_some(100);
    ASSERT_TRUE(history.settle());
    history.world.run_for(seconds{5});
    ASSERT_TRUE(history.run_until_indexed());
    std::set<std::string> listed;
    for (const DeliveryItem& item : history.api.deliveries(history.webhook)) {
      EXPECT_TRUE(listed.insert(item.event_id).second) << item.event_id;
    }
    EXPECT_GE(listed.size(), 10u);
    EXPECT_LT(listed.size(), 100u);
    for (const std::string& file : history.index_files()) {
      const std::string segment = file.substr(0, file.size() - 3) + "seg";
      EXPECT_TRUE(history.world.disk().exists(segment)) << file;
    }
    if (round == 1) history.restart(Crash::power);
  }
}

}  // namespace
}  // namespace ringpost::sim
