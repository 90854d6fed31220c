// Goal: the power may go at any moment: a healthy relay starts again, with everything that it
// acknowledged, and without a person's consent to a loss. Method: a small relay that prepares,
// seals, expires and recycles segments; the power goes after each single call to the disk in turn,
// and what was not synced is kept or lost as the seed draws it.
//
// SIM_POWER_SEEDS=100 draws more often (apart from SIM_SEEDS: each seed is many worlds).

#include "sim/relay/small_world.h"

#include <cstdlib>
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
  bool cut = false;     ///< Before it was through.
  std::string problem;  ///< Why the relay did not start again.
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
    lost.push_back(std::to_string(exchange.number));
  }
  return lost;
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

  world.restart();
  world.disk().cut_power_after(cut);
  PowerRun result;
  if (small.relay.start().empty()) {
    world.run_until([&] { return world.disk().power_is_cut() || poster.done(); }, hours{1});
    world.run_until([&] { return world.disk().power_is_cut(); }, seconds{2});
  }
  result.cut = world.disk().power_is_cut();
  small.relay.running() ? small.relay.crash() : world.crash();

  result.problem = small.relay.start();
  if (!result.problem.empty()) return result;
  world.run_until([&] { return poster.done(); }, hours{1});
  small.settle();
  result.lost = lost_events(small, poster);
  return result;
}

TEST(RelayPower, MayGoAtAnyCallToTheDisk) {
  const char* text = std::getenv("SIM_POWER_SEEDS");
  const uint64_t seeds = text == nullptr ? 3 : std::strtoull(text, nullptr, 10);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    uint32_t calls = 0;
    for (bool through = false; !through; ++calls) {
      const PowerRun result = run(seed, calls);
      ASSERT_EQ(result.problem, "") << "seed " << seed << ", call " << calls;
      ASSERT_TRUE(result.lost.empty())
          << "seed " << seed << ", call " << calls << ": lost event " << result.lost.front();
      through = !result.cut;
    }
    EXPECT_GT(calls, 60u);
  }
}

}  // namespace
}  // namespace ringpost::sim
