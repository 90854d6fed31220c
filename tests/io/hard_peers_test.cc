// What peers do that a ring over readiness gets wrong first, for each engine. The peers are plain
// blocking sockets.

#include "io/engine.h"
#include "io/socket_address.h"
#include "kernel_test.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ringpost::io {
namespace {

/// A socket of the test's own, outside of the ring.
class Peer {
 public:
  Peer() = default;
  explicit Peer(int descriptor) : descriptor_(descriptor) {}
  Peer(Peer&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Peer& operator=(Peer&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Peer() { close(); }

  int descriptor() const { return descriptor_; }
  void send(std::string_view text, int flags = 0) {
    ASSERT_EQ(::send(descriptor_, text.data(), text.size(), flags | MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  /// Reads up to `size` bytes without waiting for them.
  std::string take(size_t size) {
    std::string text(size, '\0');
    const ssize_t got = recv(descriptor_, text.data(), size, MSG_DONTWAIT);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
  }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  /// Closes with a reset instead of an end of stream.
  void reset() {
    const linger none{.l_onoff = 1, .l_linger = 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close();
  }

 private:
  int descriptor_ = -1;
};

class HardPeersTest : public KernelTest<Ring, testing::TestWithParam<Engine>> {
 protected:
  HardPeersTest() : KernelTest(make_ring(GetParam())) {}

  /// Listens and accepts one connection, from a peer outside of the ring.
  Peer connect_peer(const Address& at) {
    if (!pair_.listener.valid()) open_pair(at);
    const size_t before = pair_.more_servers.size();
    SocketAddress address{pair_.address};
    Peer peer{socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(::connect(peer.descriptor(), address.data(), address.size), 0);
    EXPECT_TRUE(turn_until(*ring_, [&] { return pair_.more_servers.size() > before; }));
    return peer;
  }
  Peer connect_peer() { return connect_peer(Address::parse("127.0.0.1:0").value()); }
  Socket newest() const { return pair_.more_servers.back(); }
  void close_newest() {
    close_now(newest());
    pair_.more_servers.pop_back();
  }
  bool until(const std::function<bool()>& done) { return turn_until(*ring_, done); }
  void turn_some(int turns) {
    for (int turn = 0; turn < turns; ++turn) ring_->turn(false);
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, HardPeersTest, testing::Values(Engine::io_uring, Engine::epoll),
                         [](const auto& made) { return std::string{to_text(made.param)}; });

// --- reading -------------------------------------------------------------------------------------

TEST_P(HardPeersTest, HearsWhatCameBeforeItListened) {
  for (const bool ends : {false, true}) {
    Peer peer = connect_peer();
    peer.send("early");
    if (ends) peer.close();
    turn_some(3);
    Watched receiving;
    receive(*ring_, receiving, newest());
    EXPECT_TRUE(until([&] { return receiving.text == "early" && receiving.ended() == ends; }));
    EXPECT_EQ(receiving.last(), ends ? 0 : 5);
    close_newest();
  }
}

TEST_P(HardPeersTest, HearsWhatCameWhileNobodyListened) {
  Peer peer = connect_peer();
  Watched first, second, third;
  receive(*ring_, first, newest());
  peer.send("one");
  ASSERT_TRUE(until([&] { return first.text == "one"; }));
  ring_->cancel(first.op);
  ASSERT_TRUE(until([&] { return first.ended(); }));
  peer.send("two");
  turn_some(3);
  receive(*ring_, second, newest());
  ASSERT_TRUE(until([&] { return second.text == "two"; }));
  ring_->cancel(second.op);
  ASSERT_TRUE(until([&] { return second.ended(); }));
  peer.close();
  turn_some(3);
  receive(*ring_, third, newest());
  ASSERT_TRUE(until([&] { return third.ended(); }));
  EXPECT_EQ(third.results, std::vector<int32_t>{0});
  close_newest();
}

// Goal: the end comes whenever it comes: with the last bytes, after them, or long after.
TEST_P(HardPeersTest, NoEndOfStreamIsMissed) {
  const std::string large = patterned_text(200'000);
  for (const std::string_view text : {std::string_view{"x"}, std::string_view{large}}) {
    for (const int turns : {0, 1, 2, 20}) {
      Peer peer = connect_peer();
      Watched receiving;
      receive(*ring_, receiving, newest());
      turn_some(1);
      peer.send(text);
      turn_some(turns);
      peer.close();
      ASSERT_TRUE(until([&] { return receiving.ended(); })) << turns;
      EXPECT_TRUE(receiving.text == text) << turns;
      EXPECT_EQ(receiving.last(), 0);
      close_newest();
    }
  }
}

// A receive stops short of urgent data, though more bytes are there.
TEST_P(HardPeersTest, UrgentDataHidesNothing) {
  Peer peer = connect_peer();
  peer.send("ab");
  peer.send("!", MSG_OOB);
  peer.send("cd");
  Watched receiving;
  receive(*ring_, receiving, newest());
  EXPECT_TRUE(until([&] { return receiving.text == "abcd"; })) << receiving.text;
  close_newest();
}

// A receive stops where a descriptor was passed, though more bytes are there.
TEST_P(HardPeersTest, PassedDescriptorsHideNothing) {
  Peer peer = connect_peer(unix_address());
  const size_t before = open_descriptors();
  for (int piece = 0; piece < 3; ++piece) {
    char text[] = "ab";
    iovec bytes{.iov_base = text, .iov_len = 2};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int passed = peer.descriptor();
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
    ASSERT_EQ(sendmsg(peer.descriptor(), &message, 0), 2);
  }
  Watched receiving;
  receive(*ring_, receiving, newest());
  EXPECT_TRUE(until([&] { return receiving.text == "ababab"; })) << receiving.text;
  EXPECT_EQ(open_descriptors(), before) << "nobody wants what was passed";
  close_newest();
}

TEST_P(HardPeersTest, AResetEndsTheReceiveWithAnError) {
  for (const bool with_bytes : {false, true}) {
    Peer peer = connect_peer();
    Watched receiving;
    receive(*ring_, receiving, newest());
    turn_some(1);
    if (with_bytes) peer.send("x");
    peer.reset();
    ASSERT_TRUE(until([&] { return receiving.ended(); }));
    EXPECT_EQ(receiving.last(), -ECONNRESET);
    EXPECT_EQ(receiving.ends, 1);
    close_newest();
  }
}

// Goal: a connection that never stops sending leaves the others their turn.
TEST_P(HardPeersTest, AFloodLeavesOthersTheirTurn) {
  Peer loud = connect_peer();
  const Socket loud_socket = newest();
  Peer quiet = connect_peer();
  fcntl(loud.descriptor(), F_SETFL, O_NONBLOCK);
  const std::string flood(1 << 20, 'f');
  const auto pour = [&] { ::send(loud.descriptor(), flood.data(), flood.size(), MSG_NOSIGNAL); };
  Watched from_loud, from_quiet;
  from_loud.then = [&](const Outcome&) {
    from_loud.text.clear();
    from_loud.results.clear();
    pour();
  };
  receive(*ring_, from_loud, loud_socket);
  receive(*ring_, from_quiet, newest());
  pour();
  quiet.send("me too");
  int turns = 0;
  for (; from_quiet.text.empty() && turns < 50; ++turns) ring_->turn(false);
  EXPECT_EQ(from_quiet.text, "me too");
  from_loud.then = nullptr;
  pair_.close_all(*ring_);
}

// --- sending -------------------------------------------------------------------------------------

// Goal: a send that the socket takes in pieces goes on, with the receive pending beside it.
TEST_P(HardPeersTest, ASlowReaderGetsEverything) {
  Peer peer = connect_peer();
  const std::string text = patterned_text(12 << 20);
  Watched sending, receiving;
  receive(*ring_, receiving, newest());
  send(*ring_, sending, newest(), text);
  turn_some(3);
  EXPECT_FALSE(sending.ended());
  std::string arrived;
  for (int round = 0; arrived.size() < text.size(); ++round) {
    ASSERT_LT(round, 100'000);
    arrived += peer.take(200'000);
    if (round % 7 == 0) peer.send("k");
    ring_->turn(false);
  }
  EXPECT_TRUE(arrived == text);
  ASSERT_TRUE(until([&] { return sending.ended() && !receiving.text.empty(); }));
  EXPECT_EQ(sending.results, std::vector<int32_t>{12 << 20});
  close_newest();
}

// Goal: what sleeps for room in the socket is woken by it. Method: turns that may sleep; the peer
// reads from a timer.
TEST_P(HardPeersTest, RoomInTheSocketWakesTheRing) {
  Peer peer = connect_peer();
  const std::string text(8 << 20, 'x');
  Watched sending;
  send(*ring_, sending, newest(), text);
  WatchedTimer reader;
  size_t taken = 0;
  reader.then = [&] {
    taken += peer.take(4 << 20).size();
    arm(*ring_, reader, std::chrono::milliseconds{4});
  };
  arm(*ring_, reader, std::chrono::milliseconds{4});
  EXPECT_TRUE(until([&] { return sending.ended(); }));
  EXPECT_EQ(sending.last(), 8 << 20);
  ring_->disarm(reader.timer);
  close_newest();
}

TEST_P(HardPeersTest, AResetEndsABlockedSendOnce) {
  for (const bool receives : {false, true}) {
    Peer peer = connect_peer();
    const std::string text(16 << 20, 'x');
    Watched sending, receiving;
    if (receives) receive(*ring_, receiving, newest());
    send(*ring_, sending, newest(), text);
    turn_some(3);
    ASSERT_FALSE(sending.ended());
    peer.reset();
    ASSERT_TRUE(until([&] { return sending.ended() && receiving.ended() == receives; }));
    EXPECT_TRUE(sending.last() == -ECONNRESET || sending.last() == -EPIPE) << sending.last();
    EXPECT_EQ(sending.ends, 1);
    close_newest();
    EXPECT_EQ(receiving.ends, receives ? 1 : 0);
  }
}

// Goal: who has sent a request hears that it is out before it hears the answer, however quick the
// peer: otherwise the answer would be one to nothing.
TEST_P(HardPeersTest, TheEndOfASendComesBeforeItsAnswer) {
  Peer peer = connect_peer();
  std::thread answering{[&peer] {
    char byte = 0;
    while (::recv(peer.descriptor(), &byte, 1, 0) == 1 && byte != 'e') peer.send("a");
  }};
  Watched receiving;
  std::string order;
  receiving.then = [&](const Outcome& outcome) { order += outcome.more ? "r" : ""; };
  receive(*ring_, receiving, newest());
  turn_some(2);
  for (int round = 0; round < 20; ++round) {
    Watched sending;
    sending.then = [&](const Outcome&) { order += "s"; };
    send(*ring_, sending, newest(), "q");
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds{2});
    ASSERT_TRUE(until([&] { return order.size() == 2; }));
    ASSERT_EQ(order, "sr");
    order.clear();
  }
  receiving.then = nullptr;
  Watched last;
  send(*ring_, last, newest(), "e");
  ASSERT_TRUE(until([&] { return last.ended(); }));
  answering.join();
  close_newest();
}

TEST_P(HardPeersTest, WhatWasThereIsHeardBeforeTheEndOfASendThatFollowed) {
  Peer peer = connect_peer();
  peer.send("early");
  turn_some(2);
  Watched receiving, sending;
  std::string order;
  receiving.then = [&](const Outcome& outcome) { order += outcome.more ? "r" : ""; };
  sending.then = [&](const Outcome&) { order += "s"; };
  receive(*ring_, receiving, newest());
  send(*ring_, sending, newest(), "q");
  ASSERT_TRUE(until([&] { return order.size() == 2; }));
  EXPECT_EQ(order, "rs");
  receiving.then = nullptr;
  close_newest();
}

TEST_P(HardPeersTest, APeerThatHasEndedItsStreamIsStillSentTo) {
  Peer peer = connect_peer();
  const std::string text = patterned_text(4 << 20);
  Watched sending, receiving;
  receive(*ring_, receiving, newest());
  send(*ring_, sending, newest(), text);
  ::shutdown(peer.descriptor(), SHUT_WR);
  ASSERT_TRUE(until([&] { return receiving.ended(); }));
  EXPECT_EQ(receiving.last(), 0);
  std::string arrived;
  for (int round = 0; arrived.size() < text.size() && round < 100'000; ++round) {
    arrived += peer.take(1 << 20);
    ring_->turn(false);
  }
  EXPECT_TRUE(arrived == text);
  ASSERT_TRUE(until([&] { return sending.ended(); }));
  EXPECT_EQ(sending.last(), 4 << 20);
  close_newest();
}

// --- connecting ----------------------------------------------------------------------------------

TEST_P(HardPeersTest, ConnectSaysWhyNot) {
  const auto result_of = [&](const Address& address) {
    Watched connecting;
    connect(*ring_, connecting, address);
    EXPECT_TRUE(until([&] { return connecting.ended(); }));
    EXPECT_EQ(connecting.ends, 1);
    return connecting.last();
  };
  const size_t before = open_descriptors();
  EXPECT_EQ(result_of(unix_address("absent.sock")), -ENOENT);
  const Socket listener = ring_->listen(unix_address(), {}).value();
  close_now(listener);
  EXPECT_EQ(result_of(unix_address()), -ECONNREFUSED);
  EXPECT_EQ(result_of(Address::parse("0.0.0.0:1").value()), -ECONNREFUSED);
  EXPECT_EQ(result_of(Address::parse("255.255.255.255:1").value()), -ENETUNREACH);
  EXPECT_EQ(open_descriptors(), before);
}

// A Unix listener with a full backlog says nothing when it has room again.
TEST_P(HardPeersTest, ConnectWaitsForRoomInTheBacklog) {
  pair_.listener = ring_->listen(unix_address(), {.backlog = 0}).value();
  std::list<Watched> clients;
  for (int index = 0; index < 4; ++index) {
    connect(*ring_, clients.emplace_back(), unix_address());
  }
  turn_some(5);
  EXPECT_FALSE(all_ended(clients));
  pair_.accepting.then = [&](const Outcome& outcome) {
    if (outcome.result >= 0) pair_.more_servers.push_back(outcome.socket());
  };
  accept(*ring_, pair_.accepting, pair_.listener);
  ASSERT_TRUE(until([&] { return all_ended(clients) && pair_.more_servers.size() == 4; }));
  for (Watched& client : clients) {
    ASSERT_GE(client.last(), 0);
    close_now({client.last()});
  }
}

// --- cancelling, and numbers that come again -----------------------------------------------------

// Goal: whatever an operation waits for, a cancel ends it once; its socket is of use afterwards.
TEST_P(HardPeersTest, CancelEndsAnOperationOnceInEachOfItsStates) {
  Peer peer = connect_peer();
  const std::string large(16 << 20, 'x');
  for (const int turns : {0, 1, 3}) {
    for (const bool with_bytes : {false, true}) {
      Watched receiving, sending;
      receive(*ring_, receiving, newest());
      if (with_bytes) peer.send("x");
      turn_some(turns);
      ring_->cancel(receiving.op);
      ring_->cancel(receiving.op);
      ASSERT_TRUE(until([&] { return receiving.ended(); }));
      EXPECT_EQ(receiving.last(), -ECANCELED);
      EXPECT_EQ(receiving.ends, 1);
      // What it did not take the next one takes.
      if (with_bytes && receiving.text.empty()) {
        Watched again;
        receive(*ring_, again, newest());
        EXPECT_TRUE(until([&] { return again.text == "x"; }));
        ring_->cancel(again.op);
        EXPECT_TRUE(until([&] { return again.ended(); }));
      }
      send(*ring_, sending, newest(), "short");
      turn_some(turns);
      ring_->cancel(sending.op);
      ASSERT_TRUE(until([&] { return sending.ended(); }));
      EXPECT_TRUE(sending.last() == 5 || sending.last() == -ECANCELED) << sending.last();
    }
  }
  Watched blocked;
  send(*ring_, blocked, newest(), large);
  turn_some(2);
  ring_->cancel(blocked.op);
  ASSERT_TRUE(until([&] { return blocked.ended(); }));
  EXPECT_EQ(blocked.results, std::vector<int32_t>{-ECANCELED});
  close_newest();
}

// Goal: events of a closed socket never reach its successor with the same number.
TEST_P(HardPeersTest, ANumberThatComesAgainBringsNothingOfItsPast) {
  Peer first = connect_peer();
  int again = 0;
  for (int round = 0; round < 60; ++round) {
    const int32_t number = newest().handle;
    Watched old_receive;
    if (round % 2 == 0) receive(*ring_, old_receive, newest());
    if (round % 3 == 0) ring_->turn(false);
    first.send("of the past");
    if (round % 5 == 0) first.reset();
    close_newest();
    first.close();
    EXPECT_EQ(old_receive.ends, round % 2 == 0 ? 1 : 0);
    first = connect_peer();
    again += newest().handle == number ? 1 : 0;
    Watched receiving;
    receive(*ring_, receiving, newest());
    turn_some(2);
    EXPECT_EQ(receiving.text, "");
    EXPECT_EQ(receiving.ends, 0);
    first.send("new");
    ASSERT_TRUE(until([&] { return receiving.text == "new"; })) << receiving.text;
    ring_->cancel(receiving.op);
    ASSERT_TRUE(until([&] { return receiving.ended(); }));
  }
  EXPECT_GT(again, 0) << "the test has not met its case";
  close_newest();
}

// --- files and timers ----------------------------------------------------------------------------

TEST_P(HardPeersTest, AFullDiskIsSaid) {
  const int full = ::open("/dev/full", O_RDWR | O_CLOEXEC);
  ASSERT_GE(full, 0);
  AlignedBytes bytes{8192};
  Watched writing;
  write(*ring_, writing, File{full}, 4096, bytes.bytes);
  EXPECT_TRUE(until([&] { return writing.ended(); }));
  EXPECT_EQ(writing.results, std::vector<int32_t>{-ENOSPC});
  ::close(full);
}

TEST_P(HardPeersTest, ReadReportsTheDisksError) {
  const int directory = ::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  AlignedBytes bytes{4096};
  Watched reading;
  read(*ring_, reading, File{directory}, 0, bytes.bytes);
  EXPECT_TRUE(until([&] { return reading.ended(); }));
  EXPECT_EQ(reading.results, std::vector<int32_t>{-EISDIR});
  ::close(directory);
}

TEST_P(HardPeersTest, ThousandsOfTimersKeepTheirTime) {
  constexpr size_t count = 5000;
  std::vector<WatchedTimer> timers(count);
  size_t ran = 0;
  size_t early = 0;
  size_t disarmed = 0;
  for (size_t index = 0; index < count; ++index) {
    const Duration delay = std::chrono::microseconds{index * 7919 % 300'000};
    const Instant due = ring_->now() + delay;
    timers[index].then = [this, &ran, &early, due] {
      ++ran;
      if (ring_->now() < due) ++early;
    };
    arm(*ring_, timers[index], delay);
    if (index % 10 == 0) {
      ring_->disarm(timers[index].timer);
      ++disarmed;
    }
  }
  EXPECT_TRUE(until([&] { return ran == count - disarmed; }));
  EXPECT_EQ(early, 0u);
  for (const WatchedTimer& timer : timers) EXPECT_LE(timer.runs, 1);
}

}  // namespace
}  // namespace ringpost::io
