// Goal: the simulated ring keeps the contract of io::Ring, with faults too, and dies as it should.
// Method: the contract's own facts (tests/io); then conversations between a ring and peers.

#include "sim/ring.h"

#include "io/ring_contract.h"
#include "sim/disk.h"
#include "sim/peer.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace ringpost::sim {

/// The contract's world, simulated.
class ContractWorld {
 public:
  explicit ContractWorld(const Faults& faults = {})
      : world_({.faults = faults}), ring_(world_.add_ring()) {
    EXPECT_TRUE(world_.disk().make_directory("/contract"));
  }
  io::Ring& ring() { return ring_; }
  io::Disk& disk() { return world_.disk(); }
  std::string directory() { return "/contract"; }
  io::Address listen_address() { return address("127.0.0.1", 0); }

 private:
  World world_;
  Ring& ring_;
};

/// With every fault that a correct caller never hears of.
class RoughContractWorld : public ContractWorld {
 public:
  RoughContractWorld()
      : ContractWorld({.segment = 5'000,
                       .delay = 500,
                       .short_send = 5'000,
                       .short_receive = 5'000,
                       .starved_receive = 1'000,
                       .late_accept = 5'000,
                       .slow_write = 2'000}) {}
};

}  // namespace ringpost::sim

namespace ringpost::io {
using Worlds = testing::Types<sim::ContractWorld, sim::RoughContractWorld>;
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, RingContract, Worlds);
}  // namespace ringpost::io

namespace ringpost::sim {
namespace {

using io::Watched;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

const io::Address relay = address("127.0.0.1", 8420);

/// A shard that echoes what it receives, connection by connection, and closes after the peer.
class Echo final : public Actor {
 public:
  explicit Echo(World& world) : ring_(world.add_ring()) {
    listener_ = ring_.listen(relay, {}).value();
    ring_.accept<&Echo::on_accept>(*this, accepting_, listener_);
    world.add_actor(*this, ring_);
  }

  void turn() override { ring_.turn(true); }
  Ring& ring() { return ring_; }

 private:
  struct Line {
    Echo* echo;
    io::Socket socket;
    io::Completion receiving, sending, closing;
    std::string queued, lent;
    bool over = false;

    void on_received(const io::Outcome& outcome) {
      queued += as_text(outcome.bytes);
      if (!outcome.more) over = true;
      go_on();
    }
    void on_sent(const io::Outcome& outcome) {
      if (!outcome) queued.clear();
      go_on();
    }
    void on_closed(const io::Outcome& outcome) { EXPECT_EQ(outcome.result, 0); }
    void go_on() {
      if (sending.pending()) return;
      if (!queued.empty()) {
        lent = std::exchange(queued, {});
        return echo->ring_.send<&Line::on_sent>(*this, sending, socket, as_bytes(lent));
      }
      if (over && !closing.pending()) echo->ring_.close<&Line::on_closed>(*this, closing, socket);
    }
  };

  void on_accept(const io::Outcome& outcome) {
    if (!outcome) return;
    Line& line = *lines_.emplace_back(std::make_unique<Line>());
    line.echo = this;
    line.socket = outcome.socket();
    ring_.receive<&Line::on_received>(line, line.receiving, line.socket, io::ReceiveGroup::ingress);
  }

  Ring& ring_;
  io::Socket listener_;
  io::Completion accepting_;
  std::vector<std::unique_ptr<Line>> lines_;
};

TEST(Ring, EchoesEveryByteInOrderThroughFaultsThatDoNotBreakStreams) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    World world({.seed = seed,
                 .faults = {.segment = 5'000,
                            .delay = 2'000,
                            .short_send = 5'000,
                            .narrow_window = 3'000,
                            .short_receive = 5'000,
                            .starved_receive = 2'000,
                            .late_accept = 5'000,
                            .pause = 100}});
    auto echo = std::make_unique<Echo>(world);
    std::vector<std::unique_ptr<Peer>> peers;
    for (int i = 0; i < 5; ++i) {
      peers.push_back(std::make_unique<Peer>(world, relay));
      peers.back()->send(io::patterned_text(20'000));
      peers.back()->shutdown_send();
    }
    ASSERT_TRUE(world.run_until_idle(hours{1})) << "seed " << seed;
    for (const auto& peer : peers) {
      EXPECT_TRUE(peer->received() == io::patterned_text(20'000)) << "seed " << seed;
      EXPECT_EQ(peer->ended(), 0) << "seed " << seed;
    }
    EXPECT_EQ(echo->ring().pending_count(), 1u);  // The accept.
    world.crash();
    echo->ring().abandon_all();
  }
}

TEST(Ring, EveryOperationEndsWhenStreamsBreak) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    World world({.seed = seed,
                 .faults = {.connect_reset_early = 1'000,
                            .segment = 3'000,
                            .delay = 1'000,
                            .reset = 1'000,
                            .short_receive = 3'000}});
    auto echo = std::make_unique<Echo>(world);
    std::vector<std::unique_ptr<Peer>> peers;
    for (int i = 0; i < 10; ++i) {
      peers.push_back(std::make_unique<Peer>(world, relay));
      for (int j = 0; j < 5; ++j) peers.back()->send(io::patterned_text(1'000));
      peers.back()->shutdown_send();
    }
    ASSERT_TRUE(world.run_until_idle(hours{1})) << "seed " << seed;
    for (const auto& peer : peers) {
      EXPECT_TRUE(peer->ended().has_value()) << "seed " << seed;
      peer->close();
    }
    world.run_until_idle(hours{1});
    EXPECT_EQ(echo->ring().pending_count(), 1u) << "seed " << seed;
    world.crash();
    echo->ring().abandon_all();
  }
}

TEST(Ring, HandsOverPartsAsOftenAsAsked) {
  const auto receives = [](uint32_t short_receive) {
    World world({.faults = {.short_receive = short_receive}});
    Ring& ring = world.add_ring();
    const io::Socket listener = ring.listen(relay, {}).value();
    Watched accepting, receiving, closing, closing_listener;
    accepting.then = [&](const io::Outcome& outcome) {
      if (outcome) io::receive(ring, receiving, outcome.socket());
    };
    io::accept(ring, accepting, listener);
    Peer peer(world, relay);
    peer.send(io::patterned_text(10'000));
    io::turn_until(ring, [&] { return receiving.text.size() == 10'000; });
    io::close(ring, closing, receiving.op.socket());
    io::close(ring, closing_listener, listener);
    io::turn_until(ring, [&] { return ring.pending_count() == 0; });
    return receiving.results.size();
  };
  EXPECT_EQ(receives(0), 2u);  // The bytes, and the cancellation.
  EXPECT_GT(receives(10'000), 6u);
}

TEST(Ring, AcceptedSocketsNameTheirPeerAndUnixOnesDoNot) {
  World world({});
  Ring& ring = world.add_ring();
  const io::Address path = unix_address("/run/relay.sock");
  const io::Socket tcp = ring.listen(relay, {}).value();
  const io::Socket local = ring.listen(path, {}).value();
  Watched accepting_tcp, accepting_local;
  std::vector<io::Socket> accepted;
  const auto keep = [&accepted](const io::Outcome& outcome) {
    if (outcome) accepted.push_back(outcome.socket());
  };
  accepting_tcp.then = accepting_local.then = keep;
  io::accept(ring, accepting_tcp, tcp);
  io::accept(ring, accepting_local, local);
  Peer first(world, relay);
  ASSERT_TRUE(io::turn_until(ring, [&] { return accepted.size() == 1 && first.connected(); }));
  Peer second(world, path);
  ASSERT_TRUE(io::turn_until(ring, [&] { return accepted.size() == 2; }));
  EXPECT_EQ(ring.peer_address(accepted[0]).value(), first.local_address());
  EXPECT_EQ(ring.peer_address(accepted[1]).value(), unix_address(""));
  EXPECT_EQ(ring.local_address(accepted[1]).value(), path);
  world.crash();
  ring.abandon_all();
}

TEST(Ring, UnixPathsAreTakenOnlyFromTheDead) {
  World world({});
  const io::Address path = unix_address("/run/relay.sock");
  Ring& ring = world.add_ring();
  ASSERT_TRUE(ring.listen(path, {}));
  EXPECT_EQ(ring.listen(path, {}).error().code, Errc::conflict);
  world.crash();
  world.restart();
  Ring& next = world.add_ring();
  EXPECT_TRUE(next.listen(path, {}));
  world.disk().write_file("/run/file", "not ours");
  EXPECT_EQ(next.listen(unix_address("/run/file"), {}).error().code, Errc::conflict);
  EXPECT_EQ(world.disk().read_file("/run/file"), "not ours");
}

// --- crash ---------------------------------------------------------------------------------------

/// One of each operation, all pending.
struct Everything {
  explicit Everything(World& world) : ring(world.add_ring()), peer(world, relay) {
    world.disk().write_file("/data/journal", std::string(8'192, '\0'));
    bool direct = false;
    const io::File file = world.disk().open_journal("/data/journal", direct).value();
    listener = ring.listen(relay, {}).value();
    accepting.then = [this](const io::Outcome& outcome) {
      if (outcome) socket = outcome.socket();
    };
    io::accept(ring, accepting, listener);
    io::turn_until(ring, [this] { return socket.valid(); });
    io::receive(ring, receiving, socket);
    peer.pause_reading();
    io::send(ring, sending, socket, unread);
    io::connect(ring, connecting, address("10.9.9.9", 9));
    io::write(ring, writing, file, 0, {block, sizeof block});
  }

  Ring& ring;
  Peer peer;
  io::Socket listener, socket;
  const std::string unread = std::string(200'000, 'u');
  alignas(4096) std::byte block[4096] = {};
  Watched accepting, receiving, sending, connecting, writing, closing;
};

TEST(Ring, AbandonsWhatACrashLeftPendingWithoutRunningHandlers) {
  World world({});
  auto everything = std::make_unique<Everything>(world);
  Ring& ring = everything->ring;
  EXPECT_EQ(ring.pending_count(), 5u);
  world.crash();
  ring.abandon_all();
  EXPECT_EQ(ring.pending_count(), 0u);
  for (const Watched* each : {&everything->receiving, &everything->sending, &everything->connecting,
                              &everything->writing}) {
    EXPECT_FALSE(each->op.pending());
    EXPECT_TRUE(each->results.empty());
  }
  everything->peer.resume_reading();
  world.run_until_idle(hours{1});
  EXPECT_EQ(everything->peer.ended(), -ECONNRESET);
  everything.reset();
  world.remove_ring(ring);
}

TEST(Ring, MayBeRemovedWhileADelayedReceiveIsStillToCome) {
  World world({.faults = {.starved_receive = 10'000, .late_accept = 10'000}});
  auto echo = std::make_unique<Echo>(world);
  Ring& ring = echo->ring();
  Peer peer(world, relay);
  peer.send("never read in this life");
  world.run_for(milliseconds{1});
  world.crash();
  ring.abandon_all();
  echo.reset();
  world.remove_ring(ring);
  EXPECT_TRUE(world.run_until_idle(seconds{1}));
  EXPECT_EQ(peer.ended(), -ECONNRESET);
}

TEST(Ring, ADeadRingLetsItsOwnersShutDownInOrder) {
  World world({});
  const auto owner = std::make_unique<Everything>(world);  // Aligned, under a sanitizer too.
  Everything& everything = *owner;
  Ring& ring = everything.ring;
  world.crash();
  io::close(ring, everything.closing, everything.socket);
  Watched late;
  io::connect(ring, late, relay);
  EXPECT_TRUE(io::turn_until(ring, [&ring] { return ring.pending_count() == 0; }));
  for (const Watched* each : {&everything.accepting, &everything.receiving, &everything.sending,
                              &everything.connecting, &everything.writing, &late}) {
    EXPECT_EQ(each->last(), -ECANCELED);
    EXPECT_EQ(each->ends, 1);
  }
  EXPECT_EQ(everything.closing.last(), 0);
  EXPECT_FALSE(ring.listen(relay, {}));
}

TEST(Ring, ConnectionsAreRefusedBetweenACrashAndTheNextListen) {
  World world({});
  auto echo = std::make_unique<Echo>(world);
  world.crash();
  echo->ring().abandon_all();
  Peer early(world, relay);
  world.run_until_idle(seconds{1});
  EXPECT_EQ(early.ended(), -ECONNREFUSED);
  world.restart();
  auto next = std::make_unique<Echo>(world);
  Peer peer(world, relay);
  peer.send("again");
  world.run_for(seconds{1});
  EXPECT_EQ(peer.received(), "again");
  world.crash(Crash::kill);
  next->ring().abandon_all();
}

TEST(Ring, AKilledProcessLetsWhatItWroteArriveAndAPowerLossMayNot) {
  const auto answers = [](Crash kind) {
    int arrived = 0;
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      World world({.seed = seed,
                   .network_latency_min = milliseconds{5},
                   .network_latency_max = milliseconds{10}});
      auto echo = std::make_unique<Echo>(world);
      Peer peer(world, relay);
      peer.send("ping");
      world.run_for(milliseconds{seed % 40});
      world.crash(kind);
      echo->ring().abandon_all();
      world.run_until_idle(seconds{10});
      EXPECT_TRUE(peer.ended().has_value());
      EXPECT_TRUE(peer.received().empty() || peer.received() == "ping");
      arrived += peer.received() == "ping";
    }
    return arrived;
  };
  const int after_kill = answers(Crash::kill);
  const int after_power = answers(Crash::power);
  EXPECT_GT(after_kill, 5);
  EXPECT_LT(after_kill, 60);
  EXPECT_LT(after_power, after_kill);
}

}  // namespace
}  // namespace ringpost::sim
