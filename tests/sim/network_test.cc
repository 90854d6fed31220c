// Goal: the simulated network is a network: streams keep their order whatever else goes wrong, and
// each fault comes about as often as it was asked for.
// Method: peers and endpoints talk to each other without any ring.

#include "sim/network.h"

#include "sim/peer.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

namespace ringpost::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const io::Address there = address("10.0.0.9", 8080);

std::string pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i * 31 % 26);
  return bytes;
}

/// How many of `count` connections, each carrying one short message, end as `what` says.
template <typename What>
int count_of(int count, const Faults& faults, What what) {
  World world({.seed = 5, .faults = faults});
  Endpoint endpoint(world, there);
  int matching = 0;
  for (int i = 0; i < count; ++i) {
    Peer peer(world, there);
    peer.send("hello, endpoint");
    world.run_for(seconds{1});
    matching += what(peer, endpoint);
  }
  return matching;
}

TEST(Network, CarriesBytesBothWaysAndTheEndAfterThem) {
  World world({});
  Endpoint endpoint(world, there, [](Peer& peer) {
    peer.set_on_change([&peer] {
      if (peer.ended() != 0) return;
      peer.send("answer to " + peer.received());
      peer.shutdown_send();
    });
  });
  Peer peer(world, there);
  peer.send("question");
  peer.shutdown_send();
  ASSERT_TRUE(world.run_until_idle(seconds{5}));
  EXPECT_EQ(peer.received(), "answer to question");
  EXPECT_EQ(peer.ended(), 0);
}

TEST(Network, NothingArrivesSoonerThanItsLatency) {
  World world({.network_latency_min = milliseconds{5}, .network_latency_max = milliseconds{9}});
  Endpoint endpoint(world, there);
  Peer peer(world, there);
  world.run_until([&peer] { return peer.connected(); }, seconds{1});
  EXPECT_GE(world.now(), Instant{milliseconds{10}});
  EXPECT_LE(world.now(), Instant{milliseconds{18}});
}

TEST(Network, KeepsTheOrderOfAStreamThroughEveryFaultThatDoesNotBreakIt) {
  const std::string sent = pattern(300'000);
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    World world(
        {.seed = seed,
         .faults = {
             .segment = 8'000, .delay = 5'000, .short_send = 5'000, .narrow_window = 2'000}});
    Endpoint endpoint(world, there);
    Peer peer(world, there);
    peer.send(sent);
    peer.shutdown_send();
    ASSERT_TRUE(world.run_until_idle(seconds{100'000})) << "seed " << seed;
    ASSERT_EQ(endpoint.peers().size(), 1u);
    EXPECT_TRUE(endpoint.peers()[0]->received() == sent) << "seed " << seed;
    EXPECT_EQ(endpoint.peers()[0]->ended(), 0) << "seed " << seed;
  }
}

TEST(Network, ReordersAcrossConnections) {
  World world({.faults = {.delay = 5'000}});
  std::vector<std::string> arrived;
  Endpoint endpoint(world, there, [&arrived](Peer& peer) {
    peer.set_on_change([&] {
      if (!peer.received().empty()) arrived.push_back(peer.take_received());
    });
  });
  std::vector<std::unique_ptr<Peer>> peers;
  for (char name = 'a'; name <= 'z'; ++name) {
    peers.push_back(std::make_unique<Peer>(world, there));
    peers.back()->send(std::string(1, name));
  }
  world.run_until_idle(seconds{5});
  ASSERT_EQ(arrived.size(), 26u);
  EXPECT_FALSE(std::ranges::is_sorted(arrived));
}

TEST(Network, CutsWritesIntoPiecesAsOftenAsAsked) {
  const auto pieces = [](uint32_t segment) {
    World world({.faults = {.segment = segment}});
    int changes = 0;
    Endpoint endpoint(world, there,
                      [&changes](Peer& peer) { peer.set_on_change([&changes] { ++changes; }); });
    Peer peer(world, there);
    for (int i = 0; i < 100; ++i) {
      peer.send(pattern(100));
      world.run_for(seconds{1});
    }
    return changes;
  };
  EXPECT_EQ(pieces(0), 100);
  EXPECT_GT(pieces(10'000), 200);
  EXPECT_LE(pieces(10'000), 800);
}

TEST(Network, RefusesWhereNobodyListens) {
  World world({});
  Peer peer(world, there);
  world.run_until_idle(seconds{1});
  EXPECT_EQ(peer.ended(), -ECONNREFUSED);
}

TEST(Network, RefusesConnectsAsOftenAsAsked) {
  const auto refused = [](const Peer& peer, const Endpoint&) {
    return peer.ended() == -ECONNREFUSED;
  };
  EXPECT_EQ(count_of(200, {}, refused), 0);
  EXPECT_NEAR(count_of(1'000, {.connect_refused = 2'000}, refused), 200, 60);
  EXPECT_EQ(count_of(50, {.connect_refused = 10'000}, refused), 50);
}

TEST(Network, ResetsStreamsAsOftenAsAsked) {
  const auto reset = [](const Peer& peer, const Endpoint& endpoint) {
    const Peer& far = *endpoint.peers().back();
    EXPECT_EQ(peer.ended(), far.ended());  // Both ends hear of it.
    EXPECT_TRUE(std::string_view{"hello, endpoint"}.starts_with(far.received()));
    return peer.ended() == -ECONNRESET;
  };
  EXPECT_EQ(count_of(200, {}, reset), 0);
  EXPECT_NEAR(count_of(1'000, {.reset = 1'000}, reset), 100, 40);
}

TEST(Network, AStreamThatIsResetMayHaveDeliveredAnyPartOfTheWrite) {
  std::vector<size_t> sizes;
  count_of(400, {.reset = 10'000}, [&sizes](const Peer&, const Endpoint& endpoint) {
    sizes.push_back(endpoint.peers().back()->received().size());
    return false;
  });
  EXPECT_EQ(std::ranges::min(sizes), 0u);
  EXPECT_EQ(std::ranges::max(sizes), std::string_view{"hello, endpoint"}.size());
  std::ranges::sort(sizes);
  EXPECT_GT(sizes.size() - std::ranges::unique(sizes).size(), 8u);
}

TEST(Network, StallsSilentlyAsOftenAsAsked) {
  const auto stalled = [](const Peer& peer, const Endpoint& endpoint) {
    return !peer.ended() && endpoint.peers().back()->received().empty();
  };
  EXPECT_EQ(count_of(200, {}, stalled), 0);
  EXPECT_NEAR(count_of(1'000, {.stall = 1'000}, stalled), 100, 40);
}

TEST(Network, DelaysPiecesAsOftenAsAsked) {
  World world({.faults = {.delay = 2'000}});
  Endpoint endpoint(world, there);
  int late = 0;
  for (int i = 0; i < 1'000; ++i) {
    Peer peer(world, there);
    world.run_until([&peer] { return peer.connected(); }, seconds{1});
    peer.send("x");
    world.run_for(milliseconds{1});
    late += endpoint.peers().back()->received().empty();
    world.run_for(seconds{1});
    EXPECT_EQ(endpoint.peers().back()->received(), "x");
  }
  EXPECT_NEAR(late, 200, 60);
}

TEST(Network, ABlackHoleSwallowsTheConnectUntilPatienceEnds) {
  World world({});
  Endpoint endpoint(world, there);
  world.network().set_reach(there, Reach::black_hole);
  Peer peer(world, there);
  world.run_for(seconds{120});
  EXPECT_FALSE(peer.ended().has_value());
  world.run_for(seconds{10});
  EXPECT_EQ(peer.ended(), -ETIMEDOUT);
  EXPECT_TRUE(endpoint.peers().empty());
  world.network().set_reach(there, Reach::unreachable);
  Peer second(world, there);
  world.run_for(seconds{1});
  EXPECT_EQ(second.ended(), -EHOSTUNREACH);
  world.network().set_reach(there, Reach::normal);
  Peer third(world, there);
  world.run_for(seconds{1});
  EXPECT_TRUE(third.connected());
}

TEST(Network, HoldsTheSenderBackWhileTheReaderDoesNotRead) {
  World world({});
  Endpoint endpoint(world, there, [](Peer& peer) { peer.pause_reading(); });
  Peer peer(world, there);
  const std::string sent = pattern(3 * Network::window_bytes);
  peer.send(sent);
  world.run_for(seconds{10});
  EXPECT_EQ(peer.unsent_bytes(), 2 * Network::window_bytes);
  endpoint.peers()[0]->resume_reading();
  world.run_for(seconds{10});
  EXPECT_EQ(peer.unsent_bytes(), 0u);
  EXPECT_TRUE(endpoint.peers()[0]->received() == sent);
}

TEST(Network, ClosingWithUnreadBytesResetsThePeerAndMayLoseWhatWasOnItsWay) {
  int lost = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    World world({.seed = seed});
    Endpoint endpoint(world, there, [](Peer& peer) { peer.pause_reading(); });
    Peer peer(world, there);
    peer.send("never read");
    world.run_for(seconds{1});
    endpoint.peers()[0]->send("last words");
    endpoint.peers()[0]->close();
    world.run_for(seconds{1});
    EXPECT_EQ(peer.ended(), -ECONNRESET);
    lost += peer.received().empty();
  }
  EXPECT_GT(lost, 10);
  EXPECT_LT(lost, 90);
}

TEST(Network, ClosingWithNothingUnreadLetsWhatWasWrittenArrive) {
  World world({});
  Endpoint endpoint(world, there, [](Peer& peer) {
    peer.send("last words");
    peer.close();
  });
  Peer peer(world, there);
  world.run_for(seconds{1});
  EXPECT_EQ(peer.received(), "last words");
  EXPECT_EQ(peer.ended(), 0);
}

TEST(Network, ForgetsConnectionsThatBothEndsClosed) {
  World world({.faults = {.delay = 5'000, .reset = 1'000}});
  {
    Endpoint endpoint(world, there, [](Peer& peer) {
      peer.set_on_change([&peer] {
        if (peer.ended()) peer.close();
      });
    });
    for (int i = 0; i < 100; ++i) {
      Peer peer(world, there);
      peer.send("x");
      world.run_for(milliseconds{i % 3});
    }
    world.run_until_idle(seconds{10});
  }
  EXPECT_EQ(world.network().connection_count(), 0u);
}

TEST(Network, SpreadsConnectionsOverListenersOfOneAddress) {
  World world({});
  Endpoint first(world, there);
  Endpoint second(world, there);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 100; ++i) peers.push_back(std::make_unique<Peer>(world, there));
  world.run_for(seconds{1});
  EXPECT_EQ(first.peers().size() + second.peers().size(), 100u);
  EXPECT_GT(first.peers().size(), 20u);
  EXPECT_GT(second.peers().size(), 20u);
}

}  // namespace
}  // namespace ringpost::sim
