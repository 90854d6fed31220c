// Goal: the power may go at any moment: a healthy relay starts again, with everything that it
// acknowledged, and without a person's consent to a loss. Method: a small relay that prepares,
// seals, expires and recycles segments, and carries forward what waits for a receiver that is away;
// the power goes after each single call to the disk in turn, and what was not synced is kept or
// lost as the seed draws it.
//
// SIM_POWER_SEEDS=100 draws more often (apart from SIM_SEEDS: each seed is many worlds).

#include "sim/relay/small_world.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace ringpost::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Small segments, of which few are kept.
void keep_little(shard::RelayOptions& options) {
  options.segment_bytes = 64 * 1024;
  options.control.retention.bytes = 3 * options.segment_bytes;
}

/// Large enough that a few fill a segment.
std::string data_of(size_t number) {
  return R"({"number":)" + std::to_string(number) + R"(,"filler":")" + std::string(6000, 'x') +
         R"("})";
}

/// Posts events, one each 20 ms, and knows which of them were acknowledged.
struct Poster {
  explicit Poster(World& of) : world(of) {}

  void schedule(size_t count) {
    for (size_t index = 0; index < count; ++index) {
      world.after(milliseconds{20} * (index + 1), [this] {
        const size_t number = producer.exchanges().size();
        producer.post("/v1/events",
                      event_json(std::to_string(number), "app/one", "build/done", data_of(number)),
                      authorized("application/json"));
      });
    }
    scheduled += count;
  }
  bool done() const {
    return producer.exchanges().size() == scheduled && producer.open_count() == 0;
  }

  World& world;
  size_t scheduled = 0;
  HttpProducer producer{world, {.to = RelayHarness::address, .connections = 1}};
};

struct PowerRun {
  bool cut = false;      ///< Before it was through.
  bool complete = true;  ///< It was through with what it is about.
  std::string problem;   ///< Why the relay did not start again.
  std::vector<std::string> lost;
};

std::vector<std::string> lost_events(const SmallWorld& small, const Poster& poster) {
  std::set<std::string> received;
  for (const HttpReceiver::Request& request : small.receiver.requests()) {
    received.insert(request.body());
  }
  std::vector<std::string> lost;
  for (const HttpProducer::Exchange& exchange : poster.producer.exchanges()) {
    if (exchange.status() != 202 || received.contains(data_of(exchange.number))) continue;
    lost.push_back("lost event " + std::to_string(exchange.number));
  }
  return lost;
}

/// Another life until the power goes at its call `cut`, or a little after `done`.
/// @returns whether it did.
bool live_until_cut(SmallWorld& small, uint32_t cut, const std::function<bool()>& done) {
  World& world = small.world;
  world.restart();
  world.disk().cut_power_after(cut);
  if (small.relay.start().empty()) {
    world.run_until([&] { return world.disk().power_is_cut() || done(); }, hours{1});
    world.run_until([&] { return world.disk().power_is_cut(); }, seconds{2});
  }
  const bool was_cut = world.disk().power_is_cut();
  small.relay.running() ? small.relay.crash() : world.crash();
  return was_cut;
}

/// One life, another one until the power goes at its call `cut`, and the next one.
PowerRun run(uint64_t seed, uint32_t cut) {
  SmallWorld small(seed, 1, keep_little);
  World& world = small.world;
  small.hook();
  Poster poster(world);
  poster.schedule(30);
  world.run_for(milliseconds{400});
  small.relay.crash();

  PowerRun result;
  result.cut = live_until_cut(small, cut, [&] { return poster.done(); });
  result.problem = small.relay.start();
  if (!result.problem.empty()) return result;
  world.run_until([&] { return poster.done(); }, hours{1});
  small.settle();
  result.lost = lost_events(small, poster);
  return result;
}

/// @param calls_min  of one run, or nothing was tested.
/// @param run_one    of a seed and the call at which the power goes.
void cut_at_each_call(uint64_t usual_seeds, uint32_t calls_min,
                      PowerRun (*run_one)(uint64_t, uint32_t)) {
  const char* text = std::getenv("SIM_POWER_SEEDS");
  const uint64_t seeds = text == nullptr ? usual_seeds : std::strtoull(text, nullptr, 10);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    uint32_t calls = 0;
    for (bool through = false; !through; ++calls) {
      const PowerRun result = run_one(seed, calls);
      ASSERT_EQ(result.problem, "") << "seed " << seed << ", call " << calls;
      ASSERT_TRUE(result.lost.empty())
          << "seed " << seed << ", call " << calls << ": " << result.lost.front();
      through = !result.cut;
      if (through) {
        EXPECT_TRUE(result.complete) << "seed " << seed;
      }
    }
    EXPECT_GT(calls, calls_min);
  }
}

TEST(RelayPower, MayGoAtAnyCallToTheDisk) {
  cut_at_each_call(3, 60, run);
}

/// A receiver that is away, with a few events for it, and one whose events fill the journals.
struct CarryingWorld : SmallWorld {
  static constexpr size_t waiting = 4;

  explicit CarryingWorld(uint64_t seed) : SmallWorld(seed, seed % 2 == 0 ? 2 : 1, keep_little) {
    hook(R"(,"sources":["app/one"])");
    webhook = api.create_webhook(
        R"({"url":"http://10.0.0.3/away","sources":["app/away"],"schedule":[)" + schedule() + "]}");
    for (size_t number = 0; number < waiting; ++number) {
      EXPECT_EQ(api.post_event(name(number), "app/away", "build/done", "{}"), 202);
    }
    for (const std::string& file : world.disk().files()) {
      if (!file.ends_with(".seg")) continue;
      const std::string content = world.disk().read_file(file);
      if (content.substr(journal::page_bytes, 4) == "RPJB") first_segments.push_back(file);
    }
  }
  static std::string name(size_t number) { return "waiting-" + std::to_string(number); }
  /// Few attempts are made while the receiver is away, and they are more than it is away.
  static std::string schedule() {
    std::string text = "10";
    for (int more = 1; more < 32; ++more) text += ",10";
    return text;
  }
  uint64_t carried() {
    const std::string status = api.call("GET", "/v1/status").body;
    const size_t at = status.find("\"events_carried\":");
    return at == std::string::npos ? 0 : std::strtoull(&status[at + 17], nullptr, 10);
  }
  /// Until the segments in which the events first were have gone. A connection leads to one shard:
  /// each life has another one.
  bool fill_until_carried(Poster& poster) {
    for (int round = 0; round < 20; ++round) {
      if (!has_first_segments()) return true;
      if (round % 3 == 2) restart(Crash::kill);
      poster.schedule(20);
      world.run_until([&] { return poster.done(); }, hours{1});
      world.run_for(seconds{2});
    }
    return false;
  }
  bool has_first_segments() {
    return std::ranges::any_of(
        first_segments, [this](const std::string& file) { return world.disk().exists(file); });
  }
  /// What is wrong with the events that waited, when all is well again.
  std::vector<std::string> judge() {
    std::map<std::string, size_t> good;  // By delivery.
    for (const Request& request : away.requests()) {
      if (request.at >= back_at) ++good[std::string{request.header("webhook-id")}];
    }
    std::vector<std::string> wrong;
    std::map<std::string, size_t> listed;
    for (const DeliveryItem& item : api.deliveries(webhook)) {
      ++listed[item.event_id];
      if (item.status != "delivered") wrong.push_back(item.event_id + " is " + item.status);
      if (good[item.id] != 1) {
        wrong.push_back(item.event_id + " came " + std::to_string(good[item.id]) + " times");
      }
    }
    for (size_t number = 0; number < waiting; ++number) {
      if (listed[name(number)] == 1) continue;
      wrong.push_back(name(number) + " is listed " + std::to_string(listed[name(number)]) +
                      " times");
    }
    if (good.size() != waiting) wrong.push_back(std::to_string(good.size()) + " deliveries came");
    const std::string status = api.call("GET", "/v1/status").body;
    if (status.find("\"backlog\":0,") == std::string::npos) wrong.push_back(status);
    return wrong;
  }

  std::string webhook;
  std::vector<std::string> first_segments;  ///< In which the events are at first.
  Instant back_at = Instant::max();
  HttpReceiver away{world, address("10.0.0.3", 80), [this](const Request& request) {
                      return Answer{.status = request.at >= back_at ? 200 : 500};
                    }};
};

PowerRun run_carrying(uint64_t seed, uint32_t cut) {
  CarryingWorld small(seed);
  Poster poster(small.world);
  poster.schedule(40);
  small.world.run_for(milliseconds{300});
  small.relay.crash();

  PowerRun result;
  result.cut = live_until_cut(small, cut, [&] { return poster.done(); });
  result.complete = small.relay.shard_count() > 1 || !small.has_first_segments();
  result.problem = small.relay.start();
  if (!result.problem.empty()) return result;
  small.world.run_until([&] { return poster.done(); }, hours{1});
  if (!small.fill_until_carried(poster)) result.lost.push_back("the first segments stay");
  small.restart(Crash::kill);
  small.back_at = small.world.now();
  small.settle();
  const auto wrong = small.judge();
  result.lost.insert(result.lost.end(), wrong.begin(), wrong.end());
  const auto lost = lost_events(small, poster);
  result.lost.insert(result.lost.end(), lost.begin(), lost.end());
  return result;
}

TEST(RelayPower, MayGoWhileEventsAreCarriedForward) {
  CarryingWorld small(1);
  Poster poster(small.world);
  EXPECT_TRUE(small.fill_until_carried(poster));
  EXPECT_GE(small.carried(), CarryingWorld::waiting);
  cut_at_each_call(2, 60, run_carrying);
}

/// A replay of deliveries that were given up, until the power goes.
PowerRun run_replay(uint64_t seed, uint32_t cut) {
  constexpr size_t count = 12;
  SmallWorld small(seed, 1 + static_cast<uint32_t>(seed % 2));
  bool refuses = true;
  small.answer = [&](const HttpReceiver::Request&) {
    return HttpReceiver::Answer{.status = refuses ? 404 : 200};
  };
  const std::string webhook = small.hook(R"(,"schedule":[])");
  for (size_t number = 0; number < count; ++number) small.post(std::to_string(number));
  small.settle();
  refuses = false;
  const HttpMessage made = small.api.call("POST", "/v1/replays", R"({"status":"dead"})");
  const std::string replay = made.body.substr(made.body.find("\"id\":\"") + 6, 26);
  small.relay.crash();

  PowerRun result;
  result.cut =
      live_until_cut(small, cut, [&] { return small.receiver.requests().size() >= 2 * count; });
  result.problem = small.relay.start();
  if (!result.problem.empty()) return result;
  std::string shown;
  for (int second = 0; second < 60; ++second) {
    shown = small.api.call("GET", "/v1/replays/" + replay).body;
    if (shown.find(R"("state":"done")") != std::string::npos) break;
    small.world.run_for(seconds{1});
  }
  const bool all = shown.find(R"("state":"done")") != std::string::npos &&
                   shown.find(R"("sent":12,)") != std::string::npos;
  if (!all) result.lost.push_back(shown);
  small.settle();
  std::map<std::string, int> repeats;
  for (const DeliveryItem& item : small.api.deliveries(webhook)) {
    if (item.redelivery_of.empty()) continue;
    if (item.status != "delivered") result.lost.push_back("a redelivery is " + item.status);
    ++repeats[item.redelivery_of];
  }
  if (repeats.size() != count) result.lost.push_back(std::to_string(repeats.size()) + " repeated");
  for (const auto& [delivery, times] : repeats) {
    if (times > 1) result.lost.push_back(delivery + " was repeated " + std::to_string(times));
  }
  return result;
}

TEST(RelayPower, MayGoWhileDeliveriesAreReplayed) {
  cut_at_each_call(2, 20, run_replay);
}

}  // namespace
}  // namespace ringpost::sim
