// Goal: a replay makes exactly one new delivery of each that it chose, whatever ends the relay in
// the middle, and however often. Method: relays with tiny segments whose receiver refuses
// everything once; then a replay of all dead letters through stops, kills and losses of power at
// any time.

#include "sim/relay/lives.h"
#include "sim/relay/seeds.h"
#include "sim/relay/small_world.h"

#include <map>
#include <string>

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

struct ReplayWorld : SmallWorld {
  static constexpr size_t events = 230;  // More than two batches.

  explicit ReplayWorld(uint64_t seed)
      : SmallWorld(seed, 1 + static_cast<uint32_t>(seed % 3), use_tiny_segments) {
    answer = [this](const Request&) { return Answer{.status = refuses ? 404 : 200}; };
    webhook = hook(R"(,"schedule":[])");
    world.run_for(seconds{1});
    for (size_t number = 0; number < events; ++number) {
      EXPECT_EQ(post("event-" + std::to_string(number)), 202);
    }
    EXPECT_TRUE(settle());
    refuses = false;
  }

  /// A member of the replay, as JSON has it; `"running"` with its quotes.
  std::string member(const std::string& replay, const std::string& name) {
    const std::string body = api.call("GET", "/v1/replays/" + replay).body;
    const size_t at = body.find('"' + name + "\":");
    if (at == std::string::npos) return body;
    const size_t begin = at + name.size() + 3;
    return body.substr(begin, body.find_first_of(",}", begin) - begin);
  }
  std::string start_replay() {
    const HttpMessage made = api.call("POST", "/v1/replays", R"({"status":"dead"})");
    EXPECT_EQ(made.status(), 201) << made.body;
    return made.body.substr(made.body.find("\"id\":\"") + 6, 26);
  }

  bool refuses = true;
  std::string webhook;
};

TEST(RelayReplay, SendsEachOnceThroughCrashesAtAnyTime) {
  const Seeds seeds = seeds_to_run(20);
  for (uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    SCOPED_TRACE(seed);
    ReplayWorld replayed(seed);
    const std::string replay = replayed.start_replay();
    for (int life = 0; life < 6; ++life) {
      replayed.world.run_for(replayed.world.between({}, milliseconds{250}));
      end_life(replayed.world, replayed.relay);
      if (replayed.world.crashed()) replayed.world.restart();
      ASSERT_EQ(begin_life(replayed.world, replayed.relay), "");
    }
    for (int second = 0; second < 120; ++second) {
      if (replayed.member(replay, "state") != "\"running\"") break;
      replayed.world.run_for(seconds{1});
    }
    const std::string count = std::to_string(ReplayWorld::events);
    ASSERT_EQ(replayed.member(replay, "state"), "\"done\"");
    EXPECT_EQ(replayed.member(replay, "matched"), count);
    EXPECT_EQ(replayed.member(replay, "sent"), count);
    EXPECT_EQ(replayed.member(replay, "skipped"), "0");
    ASSERT_TRUE(replayed.settle());
    std::map<std::string, int> repeats;
    size_t dead = 0;
    for (const DeliveryItem& item : replayed.api.deliveries(replayed.webhook)) {
      if (item.redelivery_of.empty()) {
        dead += item.status == "dead" ? 1 : 0;
      } else {
        EXPECT_EQ(item.status, "delivered");
        ++repeats[item.redelivery_of];
      }
    }
    EXPECT_EQ(dead, ReplayWorld::events);
    EXPECT_EQ(repeats.size(), ReplayWorld::events);
    for (const auto& [delivery, times] : repeats) EXPECT_EQ(times, 1) << delivery;
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(RelayReplay, StopsWithinSecondsAndStaysStopped) {
  ReplayWorld replayed(1);
  const std::string replay = replayed.start_replay();
  replayed.world.run_for(milliseconds{120});
  const std::string path = "/v1/replays/" + replay;
  EXPECT_EQ(replayed.api.call("POST", path + "/pause").status(), 200);
  ASSERT_TRUE(replayed.settle(seconds{5}));
  const size_t requests = replayed.receiver.requests().size();
  replayed.restart(Crash::kill);
  replayed.world.run_for(minutes{1});
  EXPECT_EQ(replayed.member(replay, "state"), "\"paused\"");
  EXPECT_EQ(replayed.receiver.requests().size(), requests);
  EXPECT_LT(requests, 2 * ReplayWorld::events);
  EXPECT_EQ(replayed.api.call("POST", path + "/resume").status(), 200);
  replayed.world.run_for(minutes{1});
  EXPECT_EQ(replayed.member(replay, "state"), "\"done\"");
  EXPECT_EQ(replayed.member(replay, "sent"), std::to_string(ReplayWorld::events));
}

}  // namespace
}  // namespace ringpost::sim
