#pragma once

#include "io/disk.h"
#include "io/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

/// What every Ring promises, as facts that run against any of them. An implementation gives a
/// World:
///
///     struct MyWorld {
///       Ring& ring();                // The ring under test; both ends of each connection use it.
///       Disk& disk();                // Whose files Ring::write writes to.
///       std::string directory();     // On that disk; exists and is empty.
///       Address listen_address();    // With port 0: the ring chooses.
///     };
///     INSTANTIATE_TYPED_TEST_SUITE_P(Mine, RingContract, MyWorld);
///
/// The world must be without injected faults. Time may be virtual: no fact reads another clock.
namespace ringpost::io {

/// An operation and all that became of it.
struct Watched {
  Completion op;
  std::vector<int32_t> results;  ///< Of each call of the handler.
  std::string text;              ///< Bytes received, all together.
  int ends = 0;                  ///< Calls with `more` false.
  std::function<void(const Outcome&)> then;

  void on_outcome(const Outcome& outcome) {
    results.push_back(outcome.result);
    text.append(as_text(outcome.bytes));
    if (!outcome.more) ++ends;
    if (then) then(outcome);
  }
  bool ended() const { return ends > 0; }
  int32_t last() const { return results.empty() ? INT32_MIN : results.back(); }
};

/// A timer and when it ran.
struct WatchedTimer {
  Timer timer;
  int runs = 0;
  std::function<void()> then;

  void on_due() {
    ++runs;
    if (then) then();
  }
};

inline void accept(Ring& ring, Watched& watched, Socket listener) {
  ring.accept<&Watched::on_outcome>(watched, watched.op, listener);
}
inline void connect(Ring& ring, Watched& watched, const Address& to) {
  ring.connect<&Watched::on_outcome>(watched, watched.op, to);
}
inline void receive(Ring& ring, Watched& watched, Socket socket,
                    ReceiveGroup group = ReceiveGroup::ingress) {
  ring.receive<&Watched::on_outcome>(watched, watched.op, socket, group);
}
inline void send(Ring& ring, Watched& watched, Socket socket, std::string_view text) {
  ring.send<&Watched::on_outcome>(watched, watched.op, socket, as_bytes(text));
}
inline void close(Ring& ring, Watched& watched, Socket socket) {
  ring.close<&Watched::on_outcome>(watched, watched.op, socket);
}
inline void write(Ring& ring, Watched& watched, File file, uint64_t offset, Bytes bytes) {
  ring.write<&Watched::on_outcome>(watched, watched.op, file, offset, bytes);
}
inline void read(Ring& ring, Watched& watched, File file, uint64_t offset, MutableBytes into) {
  ring.read<&Watched::on_outcome>(watched, watched.op, file, offset, into);
}
inline void arm(Ring& ring, WatchedTimer& timer, Duration delay) {
  ring.arm<&WatchedTimer::on_due>(timer, timer.timer, delay);
}

/// Turns the ring until `done`; gives up (false) after a minute of the ring's time.
inline bool turn_until(Ring& ring, const std::function<bool()>& done) {
  WatchedTimer patience;
  arm(ring, patience, std::chrono::seconds{60});
  while (!done() && patience.runs == 0) ring.turn(true);
  return done();
}

/// Bytes that a shifted or repeated piece would not match.
inline std::string patterned_text(size_t size) {
  std::string text(size, '\0');
  uint32_t state = 12345;
  for (char& byte : text) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return text;
}

/// Two connected sockets and their listener.
struct ConnectedPair {
  Watched accepting, connecting;
  Socket listener, server, client;
  std::vector<Socket> more_servers;  ///< Of connections that the test made besides.
  Address address;

  void open(Ring& ring, const Address& at) {
    auto listening = ring.listen(at, {});
    ASSERT_TRUE(listening) << describe(listening.error());
    listener = *listening;
    address = ring.local_address(listener).value();
    accepting.then = [this](const Outcome& outcome) {
      if (outcome.result < 0) return;
      (server.valid() ? more_servers.emplace_back() : server) = outcome.socket();
    };
    connecting.then = [this](const Outcome& outcome) {
      if (outcome.result >= 0) client = outcome.socket();
    };
    accept(ring, accepting, listener);
    connect(ring, connecting, address);
    ASSERT_TRUE(turn_until(ring, [&] { return server.valid() && client.valid(); }));
  }

  /// Leaves nothing open or pending; once more does nothing.
  void close_all(Ring& ring) {
    std::list<Watched> closing;
    const auto close_one = [&](Socket socket) {
      if (socket.valid()) close(ring, closing.emplace_back(), socket);
    };
    const auto all_closed = [&] {
      return std::all_of(closing.begin(), closing.end(), [](auto& each) { return each.ended(); });
    };
    close_one(listener);
    EXPECT_TRUE(turn_until(ring, all_closed));  // Then nothing more is accepted.
    close_one(server);
    close_one(client);
    for (const Socket socket : more_servers) close_one(socket);
    EXPECT_TRUE(turn_until(ring, all_closed));
    listener = server = client = {};
    more_servers.clear();
  }
};

template <typename World>
class RingContract : public testing::Test {
 protected:
  Ring& ring() { return world_.ring(); }

  void open_pair() { pair_.open(ring(), world_.listen_address()); }

  /// A zero-filled file of `size` bytes, open for Ring::write.
  File open_journal_file(uint64_t size) {
    Disk& disk = world_.disk();
    const std::string path = world_.directory() + "/contract";
    const File file = disk.open(path, Disk::OpenMode::create).value();
    const std::vector<std::byte> zeros(size);
    EXPECT_TRUE(disk.write_at(file, 0, zeros));
    EXPECT_TRUE(disk.sync(file));
    disk.close(file);
    bool direct = false;
    return disk.open_journal(path, direct).value();
  }

  /// An operation's witness that lives until the sockets are closed.
  Watched& watch() { return watched_.emplace_back(); }

  void TearDown() override {
    for (Watched& each : watched_) each.then = nullptr;  // They refer to the test's locals.
    pair_.close_all(ring());
    EXPECT_EQ(ring().pending_count(), 0u);
  }

  World world_;
  ConnectedPair pair_;
  std::list<Watched> watched_;
};

/// Page-aligned bytes, as Ring::write wants them.
struct AlignedBytes {
  explicit AlignedBytes(size_t size) : storage(size + 4096) {
    auto address = reinterpret_cast<uintptr_t>(storage.data());
    const size_t skip = (4096 - address % 4096) % 4096;
    bytes = MutableBytes{storage}.subspan(skip, size);
  }
  std::vector<std::byte> storage;
  MutableBytes bytes;
};

TYPED_TEST_SUITE_P(RingContract);

// --- connections ---------------------------------------------------------------------------------

TYPED_TEST_P(RingContract, ConnectsAndTellsBothAddresses) {
  this->open_pair();
  Ring& ring = this->ring();
  ConnectedPair& pair = this->pair_;
  EXPECT_NE(pair.address.port, 0);
  EXPECT_EQ(ring.peer_address(pair.client).value(), pair.address);
  EXPECT_EQ(ring.peer_address(pair.server).value(), ring.local_address(pair.client).value());
  EXPECT_TRUE(pair.accepting.op.pending());
  EXPECT_EQ(pair.accepting.ends, 0);
  EXPECT_FALSE(pair.connecting.op.pending());
}

TYPED_TEST_P(RingContract, AcceptGoesOnForManyConnections) {
  this->open_pair();
  Ring& ring = this->ring();
  constexpr int count = 50;
  std::vector<Socket> servers;
  this->pair_.accepting.then = [&](const Outcome& outcome) {
    if (outcome.result >= 0) servers.push_back(outcome.socket());
  };
  std::vector<Watched> clients(count);
  for (Watched& client : clients) connect(ring, client, this->pair_.address);
  ASSERT_TRUE(turn_until(ring, [&] { return servers.size() == count; }));
  ASSERT_TRUE(turn_until(ring, [&] {
    return std::all_of(clients.begin(), clients.end(), [](auto& each) { return each.ended(); });
  }));
  std::vector<Watched> closing(2 * count);
  for (size_t index = 0; index < count; ++index) {
    ASSERT_GE(clients[index].last(), 0);
    close(ring, closing[2 * index], Socket{clients[index].last()});
    close(ring, closing[2 * index + 1], servers[index]);
  }
  EXPECT_TRUE(turn_until(ring, [&] { return ring.pending_count() == 1; }));  // The accept.
  this->pair_.accepting.then = nullptr;
}

TYPED_TEST_P(RingContract, ConnectFailsWhereNobodyListens) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& closing = this->watch();
  close(ring, closing, this->pair_.listener);
  ASSERT_TRUE(turn_until(ring, [&] { return closing.ended(); }));
  this->pair_.listener = {};
  Watched& connecting = this->watch();
  connect(ring, connecting, this->pair_.address);
  ASSERT_TRUE(turn_until(ring, [&] { return connecting.ended(); }));
  EXPECT_EQ(connecting.results, std::vector<int32_t>{-ECONNREFUSED});
}

TYPED_TEST_P(RingContract, CancelledConnectEndsWithoutASocket) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& connecting = this->watch();
  connect(ring, connecting, this->pair_.address);
  ring.cancel(connecting.op);
  ring.cancel(connecting.op);  // Twice is once.
  EXPECT_FALSE(connecting.ended());
  ASSERT_TRUE(turn_until(ring, [&] { return connecting.ended(); }));
  EXPECT_EQ(connecting.results, std::vector<int32_t>{-ECANCELED});
}

// --- bytes ---------------------------------------------------------------------------------------

TYPED_TEST_P(RingContract, NoHandlerRunsInsideASubmission) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  Watched& connecting = this->watch();
  Watched& empty = this->watch();
  Watched& closing = this->watch();
  receive(ring, receiving, this->pair_.server);
  send(ring, sending, this->pair_.client, "x");
  send(ring, empty, this->pair_.server, "");
  connect(ring, connecting, this->pair_.address);
  ring.cancel(connecting.op);
  close(ring, closing, this->pair_.listener);
  this->pair_.listener = {};
  for (const Watched* each : {&receiving, &sending, &connecting, &empty, &closing}) {
    EXPECT_TRUE(each->results.empty());
    EXPECT_TRUE(each->op.pending());
  }
  EXPECT_TRUE(turn_until(ring, [&] {
    return sending.ended() && connecting.ended() && empty.ended() && closing.ended() &&
           !receiving.text.empty();
  }));
  EXPECT_EQ(empty.last(), 0);
}

TYPED_TEST_P(RingContract, BytesArriveInOrderInBothGroups) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& at_server = this->watch();
  Watched& at_client = this->watch();
  Watched& to_server = this->watch();
  Watched& to_client = this->watch();
  receive(ring, at_server, this->pair_.server, ReceiveGroup::ingress);
  receive(ring, at_client, this->pair_.client, ReceiveGroup::reply);
  const std::string request = patterned_text(3000);
  const std::string reply = patterned_text(700);
  send(ring, to_server, this->pair_.client, request);
  send(ring, to_client, this->pair_.server, reply);
  ASSERT_TRUE(turn_until(ring, [&] {
    return at_server.text.size() >= request.size() && at_client.text.size() >= reply.size() &&
           to_server.ended() && to_client.ended();
  }));
  EXPECT_EQ(at_server.text, request);
  EXPECT_EQ(at_client.text, reply);
  EXPECT_EQ(to_server.results, std::vector<int32_t>{3000});
  EXPECT_EQ(to_client.results, std::vector<int32_t>{700});
  EXPECT_TRUE(at_server.op.pending());
}

// Goal: a send far larger than any socket buffer arrives whole, and ends once, with its full size.
TYPED_TEST_P(RingContract, LargeSendArrivesWhole) {
  this->open_pair();
  Ring& ring = this->ring();
  const std::string text = patterned_text(8 << 20);
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  receive(ring, receiving, this->pair_.server);
  send(ring, sending, this->pair_.client, text);
  ASSERT_TRUE(
      turn_until(ring, [&] { return sending.ended() && receiving.text.size() >= text.size(); }));
  EXPECT_EQ(sending.results, std::vector<int32_t>{8 << 20});
  EXPECT_TRUE(receiving.text == text);
}

TYPED_TEST_P(RingContract, EndOfStreamIsOneZeroAfterTheBytes) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  receive(ring, receiving, this->pair_.server);
  send(ring, sending, this->pair_.client, "last words");
  ASSERT_TRUE(turn_until(ring, [&] { return sending.ended(); }));
  ring.shutdown_send(this->pair_.client);
  ASSERT_TRUE(turn_until(ring, [&] { return receiving.ended(); }));
  EXPECT_EQ(receiving.text, "last words");
  EXPECT_EQ(receiving.last(), 0);
  EXPECT_EQ(receiving.ends, 1);
  // Half closed: the other direction still works.
  Watched& at_client = this->watch();
  Watched& reply = this->watch();
  receive(ring, at_client, this->pair_.client);
  send(ring, reply, this->pair_.server, "answer");
  EXPECT_TRUE(turn_until(ring, [&] { return at_client.text == "answer" && reply.ended(); }));
}

// A peer that ended its stream took what was acknowledged by then, and nothing that came after.
TYPED_TEST_P(RingContract, TellsWhatThePeersSystemDidNotAcknowledge) {
  this->open_pair();
  Ring& ring = this->ring();
  EXPECT_EQ(ring.unacknowledged_bytes(this->pair_.client), 0u);
  Watched& at_server = this->watch();
  Watched& at_client = this->watch();
  Watched& taken = this->watch();
  receive(ring, at_server, this->pair_.server);
  receive(ring, at_client, this->pair_.client);
  send(ring, taken, this->pair_.client, "taken");
  ASSERT_TRUE(turn_until(ring, [&] { return at_server.text == "taken" && taken.ended(); }));
  Watched& closing = this->watch();
  close(ring, closing, this->pair_.server);
  ASSERT_TRUE(turn_until(ring, [&] { return closing.ended() && at_client.ended(); }));
  this->pair_.server = {};
  EXPECT_EQ(at_client.last(), 0);
  EXPECT_EQ(ring.unacknowledged_bytes(this->pair_.client), 0u);
  Watched& lost = this->watch();
  send(ring, lost, this->pair_.client, "lost");
  ASSERT_TRUE(turn_until(ring, [&] { return lost.ended(); }));
  EXPECT_EQ(ring.unacknowledged_bytes(this->pair_.client), 4u);
}

TYPED_TEST_P(RingContract, SendFailsWhenThePeerIsGone) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& closing = this->watch();
  close(ring, closing, this->pair_.client);
  ASSERT_TRUE(turn_until(ring, [&] { return closing.ended(); }));
  this->pair_.client = {};
  // The first send may still be taken by our side.
  int32_t result = 0;
  for (int tries = 0; tries < 100 && result >= 0; ++tries) {
    Watched& sending = this->watch();
    send(ring, sending, this->pair_.server, "anybody there?");
    ASSERT_TRUE(turn_until(ring, [&] { return sending.ended(); }));
    result = sending.last();
  }
  EXPECT_TRUE(result == -EPIPE || result == -ECONNRESET) << result;
}

TYPED_TEST_P(RingContract, HandlerMaySubmitTheSameCompletionAgain) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  receive(ring, receiving, this->pair_.server);
  int left = 20;
  sending.then = [&](const Outcome& outcome) {
    ASSERT_EQ(outcome.result, 1);
    if (--left > 0) send(ring, sending, this->pair_.client, "x");
  };
  send(ring, sending, this->pair_.client, "x");
  EXPECT_TRUE(turn_until(ring, [&] { return receiving.text.size() == 20 && left == 0; }));
}

// --- cancel and close ----------------------------------------------------------------------------

TYPED_TEST_P(RingContract, CancelEndsReceiveAndAcceptOnce) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  receive(ring, receiving, this->pair_.server);
  ring.turn(false);
  ring.cancel(receiving.op);
  ring.cancel(this->pair_.accepting.op);
  ASSERT_TRUE(turn_until(ring, [&] { return receiving.ended() && this->pair_.accepting.ended(); }));
  EXPECT_EQ(receiving.results, std::vector<int32_t>{-ECANCELED});
  EXPECT_EQ(this->pair_.accepting.last(), -ECANCELED);
  // Both sockets live on.
  Watched& again = this->watch();
  Watched& sending = this->watch();
  receive(ring, again, this->pair_.server);
  send(ring, sending, this->pair_.client, "still here");
  EXPECT_TRUE(turn_until(ring, [&] { return again.text == "still here" && sending.ended(); }));
}

TYPED_TEST_P(RingContract, CancelEndsASendThatNobodyReads) {
  this->open_pair();
  Ring& ring = this->ring();
  const std::string text = patterned_text(64 << 20);
  Watched& sending = this->watch();
  send(ring, sending, this->pair_.client, text);
  for (int turns = 0; turns < 10; ++turns) ring.turn(false);
  ASSERT_FALSE(sending.ended());
  ring.cancel(sending.op);
  ASSERT_TRUE(turn_until(ring, [&] { return sending.ended(); }));
  EXPECT_EQ(sending.results, std::vector<int32_t>{-ECANCELED});
}

TYPED_TEST_P(RingContract, CancelFromItsOwnHandlerEndsIt) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  receiving.then = [&](const Outcome& outcome) {
    if (outcome.more) ring.cancel(receiving.op);
  };
  receive(ring, receiving, this->pair_.server);
  send(ring, sending, this->pair_.client, "x");
  ASSERT_TRUE(turn_until(ring, [&] { return receiving.ended() && sending.ended(); }));
  EXPECT_EQ(receiving.text, "x");
  EXPECT_EQ(receiving.last(), -ECANCELED);
  EXPECT_EQ(receiving.ends, 1);
}

TYPED_TEST_P(RingContract, CancelOfNothingDoesNothing) {
  Watched& idle = this->watch();
  this->ring().cancel(idle.op);
  this->ring().turn(false);
  EXPECT_TRUE(idle.results.empty());
}

TYPED_TEST_P(RingContract, CancelLeavesTheCompletionsNextOperationAlone) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  int rounds = 0;
  receiving.then = [&](const Outcome& outcome) {
    if (outcome.more || ++rounds > 1) return;
    receive(ring, receiving, this->pair_.server);
  };
  receive(ring, receiving, this->pair_.server);
  ring.cancel(receiving.op);
  ASSERT_TRUE(turn_until(ring, [&] { return rounds == 1; }));
  for (int turns = 0; turns < 5; ++turns) ring.turn(false);
  EXPECT_EQ(rounds, 1);
  EXPECT_TRUE(receiving.op.pending());
  send(ring, sending, this->pair_.client, "kept");
  EXPECT_TRUE(turn_until(ring, [&] { return receiving.text == "kept" && sending.ended(); }));
}

TYPED_TEST_P(RingContract, CloseRunsThePendingHandlersFirst) {
  this->open_pair();
  Ring& ring = this->ring();
  const std::string text = patterned_text(64 << 20);
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  Watched& closing = this->watch();
  std::string order;
  receiving.then = [&](const Outcome& outcome) { order += outcome.more ? "" : "r"; };
  sending.then = [&](const Outcome&) { order += "s"; };
  closing.then = [&](const Outcome&) { order += "c"; };
  receive(ring, receiving, this->pair_.server);
  send(ring, sending, this->pair_.server, text);
  for (int turns = 0; turns < 5; ++turns) ring.turn(false);
  close(ring, closing, this->pair_.server);
  this->pair_.server = {};
  EXPECT_EQ(order, "");
  ASSERT_TRUE(turn_until(ring, [&] { return closing.ended(); }));
  std::sort(order.begin(), order.begin() + 2);
  EXPECT_EQ(order, "rsc");
  EXPECT_EQ(receiving.last(), -ECANCELED);
  EXPECT_EQ(sending.last(), -ECANCELED);
  EXPECT_EQ(closing.results, std::vector<int32_t>{0});
}

TYPED_TEST_P(RingContract, CloseRightAfterSubmittingEndsEverything) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  Watched& closing = this->watch();
  receive(ring, receiving, this->pair_.server);
  send(ring, sending, this->pair_.server, "x");
  close(ring, closing, this->pair_.server);
  this->pair_.server = {};
  ASSERT_TRUE(turn_until(ring, [&] { return closing.ended(); }));
  EXPECT_TRUE(receiving.ended());
  EXPECT_TRUE(sending.ended());
}

TYPED_TEST_P(RingContract, PeerReadsTheEndAfterAClose) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& at_client = this->watch();
  Watched& at_server = this->watch();
  Watched& closing = this->watch();
  receive(ring, at_client, this->pair_.client);
  receive(ring, at_server, this->pair_.server);
  ring.turn(false);
  close(ring, closing, this->pair_.server);
  this->pair_.server = {};
  ASSERT_TRUE(turn_until(ring, [&] { return at_client.ended() && closing.ended(); }));
  EXPECT_EQ(at_client.results, std::vector<int32_t>{0});
}

TYPED_TEST_P(RingContract, CloseFromAReceiveHandlerWaitsForIt) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  Watched& sending = this->watch();
  Watched& closing = this->watch();
  receiving.then = [&](const Outcome& outcome) {
    if (outcome.more) close(ring, closing, this->pair_.server);
    if (!outcome.more) {
      EXPECT_FALSE(closing.ended());
    }
  };
  receive(ring, receiving, this->pair_.server);
  send(ring, sending, this->pair_.client, "x");
  ASSERT_TRUE(turn_until(ring, [&] { return closing.ended() && sending.ended(); }));
  this->pair_.server = {};
  EXPECT_EQ(receiving.ends, 1);
}

TYPED_TEST_P(RingContract, CloseFromTheLastHandlerEndsOnce) {
  this->open_pair();
  Ring& ring = this->ring();
  Watched& receiving = this->watch();
  Watched& closing = this->watch();
  receiving.then = [&](const Outcome& outcome) {
    if (!outcome.more) close(ring, closing, this->pair_.server);
  };
  receive(ring, receiving, this->pair_.server);
  ring.shutdown_send(this->pair_.client);
  ASSERT_TRUE(turn_until(ring, [&] { return closing.ended(); }));
  this->pair_.server = {};
  for (int turns = 0; turns < 5; ++turns) ring.turn(false);
  EXPECT_EQ(closing.results, std::vector<int32_t>{0});
}

TYPED_TEST_P(RingContract, PendingCountCountsWhatTheCallerSubmitted) {
  Ring& ring = this->ring();
  EXPECT_EQ(ring.pending_count(), 0u);
  ring.turn(false);
  EXPECT_EQ(ring.pending_count(), 0u);
  this->open_pair();
  EXPECT_EQ(ring.pending_count(), 1u);  // The accept.
  Watched& receiving = this->watch();
  receive(ring, receiving, this->pair_.server);
  EXPECT_EQ(ring.pending_count(), 2u);
  ring.cancel(receiving.op);
  EXPECT_EQ(ring.pending_count(), 2u);
  ASSERT_TRUE(turn_until(ring, [&] { return receiving.ended(); }));
  EXPECT_EQ(ring.pending_count(), 1u);
}

// --- time ----------------------------------------------------------------------------------------

TYPED_TEST_P(RingContract, TimersRunInOrderAndNotBeforeTheirTime) {
  Ring& ring = this->ring();
  const Instant start = ring.now();
  std::string order;
  WatchedTimer timers[3];
  const int milliseconds[] = {60, 20, 40};
  for (int index = 0; index < 3; ++index) {
    const Duration delay = std::chrono::milliseconds{milliseconds[index]};
    timers[index].then = [&order, &ring, start, delay, index] {
      order += static_cast<char>('0' + index);
      EXPECT_GE(ring.now(), start + delay);
    };
    arm(ring, timers[index], delay);
  }
  EXPECT_EQ(order, "");
  ASSERT_TRUE(turn_until(ring, [&] { return order.size() == 3; }));
  EXPECT_EQ(order, "120");
}

TYPED_TEST_P(RingContract, DisarmedAndMovedTimersKeepTheirPromise) {
  Ring& ring = this->ring();
  WatchedTimer disarmed, moved, last;
  arm(ring, disarmed, std::chrono::milliseconds{5});
  arm(ring, moved, std::chrono::milliseconds{5});
  arm(ring, last, std::chrono::milliseconds{80});
  const Instant moved_due = ring.now() + std::chrono::milliseconds{40};
  moved.then = [&] { EXPECT_GE(ring.now(), moved_due); };
  arm(ring, moved, std::chrono::milliseconds{40});
  ring.disarm(disarmed.timer);
  ASSERT_TRUE(turn_until(ring, [&] { return last.runs == 1; }));
  EXPECT_EQ(disarmed.runs, 0);
  EXPECT_EQ(moved.runs, 1);
}

TYPED_TEST_P(RingContract, TimerThatArmsItselfWithoutDelayLetsTurnsEnd) {
  Ring& ring = this->ring();
  WatchedTimer timer;
  timer.then = [&] {
    if (timer.runs < 5) arm(ring, timer, Duration{0});
  };
  arm(ring, timer, Duration{0});
  EXPECT_EQ(timer.runs, 0);
  int turns = 0;
  ASSERT_TRUE(turn_until(ring, [&] {
    ++turns;
    return timer.runs == 5;
  }));
  EXPECT_GE(turns, 5);
}

TYPED_TEST_P(RingContract, TimeNeverGoesBack) {
  Ring& ring = this->ring();
  Instant before = ring.now();
  for (int turns = 0; turns < 100; ++turns) {
    ring.turn(false);
    EXPECT_GE(ring.now(), before);
    before = ring.now();
  }
}

// --- the loop ------------------------------------------------------------------------------------

TYPED_TEST_P(RingContract, TurnDoesNotSleepWhenToldNotTo) {
  // Nothing is pending and no timer armed: a sleep would not end.
  for (int turns = 0; turns < 10; ++turns) this->ring().turn(false);
}

TYPED_TEST_P(RingContract, WakeBeforeATurnKeepsItFromSleeping) {
  Ring& ring = this->ring();
  ring.turn(false);
  ring.waker().wake();
  ring.waker().wake();
  ring.turn(true);  // Would not return.
}

TYPED_TEST_P(RingContract, WakeFromAHandlerKeepsTheNextTurnFromSleeping) {
  Ring& ring = this->ring();
  WatchedTimer timer;
  timer.then = [&] { ring.waker().wake(); };
  arm(ring, timer, std::chrono::milliseconds{1});
  while (timer.runs == 0) ring.turn(true);
  ring.turn(true);  // Would not return.
}

// --- files ---------------------------------------------------------------------------------------

// Goal: what a write's handler was told is stored, is stored; also with several in flight.
TYPED_TEST_P(RingContract, WritesAreStoredWhereTheyBelong) {
  Ring& ring = this->ring();
  constexpr size_t piece = 16 << 10;
  constexpr size_t count = 8;
  const File file = this->open_journal_file(piece * count);
  const std::string text = patterned_text(piece * count);
  AlignedBytes from{text.size()};
  std::memcpy(from.bytes.data(), text.data(), text.size());
  std::vector<Watched> writes(count);
  for (size_t index : {5u, 0u, 7u, 1u, 6u, 2u, 4u, 3u}) {
    write(ring, writes[index], file, index * piece, from.bytes.subspan(index * piece, piece));
    EXPECT_FALSE(writes[index].ended());
  }
  ASSERT_TRUE(turn_until(ring, [&] { return ring.pending_count() == 0; }));
  for (const Watched& each : writes) {
    EXPECT_EQ(each.results, std::vector<int32_t>{static_cast<int32_t>(piece)});
  }
  AlignedBytes back{text.size()};
  EXPECT_EQ(this->world_.disk().read_at(file, 0, back.bytes).value(), text.size());
  EXPECT_TRUE(as_text(back.bytes) == text);
  this->world_.disk().close(file);
}

TYPED_TEST_P(RingContract, ReadsGetFewerBytesOnlyAtTheEndOfTheFile) {
  Ring& ring = this->ring();
  constexpr size_t piece = 4096;
  const File file = this->open_journal_file(3 * piece);
  const std::string text = patterned_text(2 * piece);
  AlignedBytes from{text.size()};
  std::memcpy(from.bytes.data(), text.data(), text.size());
  Watched writing;
  write(ring, writing, file, piece, from.bytes);
  ASSERT_TRUE(turn_until(ring, [&] { return writing.ended(); }));
  AlignedBytes whole{2 * piece}, last{2 * piece}, beyond{piece};
  Watched reading_whole, reading_last, reading_beyond;
  read(ring, reading_whole, file, piece, whole.bytes);
  read(ring, reading_last, file, 2 * piece, last.bytes);
  read(ring, reading_beyond, file, 3 * piece, beyond.bytes);
  EXPECT_FALSE(reading_whole.ended());
  ASSERT_TRUE(turn_until(ring, [&] { return ring.pending_count() == 0; }));
  EXPECT_EQ(reading_whole.results, std::vector<int32_t>{2 * piece});
  EXPECT_TRUE(as_text(whole.bytes) == text);
  EXPECT_EQ(reading_last.results, std::vector<int32_t>{piece});
  EXPECT_TRUE(as_text(last.bytes.first(piece)) == text.substr(piece));
  EXPECT_EQ(reading_beyond.results, std::vector<int32_t>{0});
  this->world_.disk().close(file);
}

// Goal: many operations on files, some cancelled: each ends once, and what ended well was done.
TYPED_TEST_P(RingContract, CancelledWritesAndReadsEndOnceAndTruthfully) {
  Ring& ring = this->ring();
  constexpr size_t piece = 4096;
  constexpr size_t count = 40;
  const File file = this->open_journal_file(piece * count);
  const std::string text = patterned_text(piece * count);
  AlignedBytes from{text.size()}, back{text.size()};
  std::memcpy(from.bytes.data(), text.data(), text.size());
  std::vector<Watched> writes(count), reads(count);
  for (size_t index = 0; index < count; ++index) {
    const uint64_t offset = index * piece;
    write(ring, writes[index], file, offset, from.bytes.subspan(offset, piece));
    read(ring, reads[index], file, offset, back.bytes.subspan(offset, piece));
  }
  for (size_t index = 0; index < count; index += 2) {
    ring.cancel(writes[index].op);
    ring.cancel(reads[index].op);
  }
  ASSERT_TRUE(turn_until(ring, [&] { return ring.pending_count() == 0; }));
  EXPECT_EQ(this->world_.disk().read_at(file, 0, back.bytes).value(), text.size());
  for (size_t index = 0; index < count; ++index) {
    EXPECT_EQ(reads[index].ends, 1);
    EXPECT_EQ(writes[index].ends, 1);
    EXPECT_TRUE(index % 2 == 0 || reads[index].last() == piece) << reads[index].last();
    EXPECT_TRUE(index % 2 == 0 || writes[index].last() == piece) << writes[index].last();
    if (writes[index].last() < 0) {
      EXPECT_EQ(writes[index].last(), -ECANCELED);
    } else {
      const auto stored = as_text(back.bytes.subspan(index * piece, piece));
      EXPECT_TRUE(stored == text.substr(index * piece, piece)) << index;
    }
  }
  this->world_.disk().close(file);
}

REGISTER_TYPED_TEST_SUITE_P(
    RingContract, ConnectsAndTellsBothAddresses, AcceptGoesOnForManyConnections,
    ConnectFailsWhereNobodyListens, CancelledConnectEndsWithoutASocket,
    NoHandlerRunsInsideASubmission, BytesArriveInOrderInBothGroups, LargeSendArrivesWhole,
    EndOfStreamIsOneZeroAfterTheBytes, TellsWhatThePeersSystemDidNotAcknowledge,
    SendFailsWhenThePeerIsGone, HandlerMaySubmitTheSameCompletionAgain,
    CancelEndsReceiveAndAcceptOnce, CancelEndsASendThatNobodyReads, CancelFromItsOwnHandlerEndsIt,
    CancelOfNothingDoesNothing, CancelLeavesTheCompletionsNextOperationAlone,
    CloseRunsThePendingHandlersFirst, CloseRightAfterSubmittingEndsEverything,
    PeerReadsTheEndAfterAClose, CloseFromAReceiveHandlerWaitsForIt, CloseFromTheLastHandlerEndsOnce,
    PendingCountCountsWhatTheCallerSubmitted, TimersRunInOrderAndNotBeforeTheirTime,
    DisarmedAndMovedTimersKeepTheirPromise, TimerThatArmsItselfWithoutDelayLetsTurnsEnd,
    TimeNeverGoesBack, TurnDoesNotSleepWhenToldNotTo, WakeBeforeATurnKeepsItFromSleeping,
    WakeFromAHandlerKeepsTheNextTurnFromSleeping, WritesAreStoredWhereTheyBelong,
    ReadsGetFewerBytesOnlyAtTheEndOfTheFile, CancelledWritesAndReadsEndOnceAndTruthfully);

}  // namespace ringpost::io
