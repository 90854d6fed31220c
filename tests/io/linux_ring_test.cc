#include "io/linux_ring.h"

#include "kernel_test.h"

#include <gtest/gtest.h>

#include <list>
#include <string>

namespace ringpost::io {
namespace {

class LinuxRingTest : public KernelTest<LinuxRing, testing::Test> {
 protected:
  LinuxRingTest() : KernelTest(make_ring()) {}
};

// Goal: with far fewer buffers than connections, everyone gets all bytes, in order, and the ring
// comes to rest again.
TEST_F(LinuxRingTest, StarvedReceivesGoOnWithAFewBuffers) {
  ring_ = make_ring(
      {.ingress_buffers = 4, .ingress_buffer_bytes = 256, .buffers_circulating_first = 2});
  open_pair();
  constexpr size_t count = 40;
  std::list<Watched> clients, servers, sending;
  pair_.accepting.then = [&](const Outcome& outcome) {
    if (outcome.result < 0) return;
    pair_.more_servers.push_back(outcome.socket());
    receive(*ring_, servers.emplace_back(), outcome.socket());
  };
  for (size_t index = 0; index < count; ++index) {
    connect(*ring_, clients.emplace_back(), pair_.address);
  }
  ASSERT_TRUE(turn_until(*ring_, [&] { return servers.size() == count && all_ended(clients); }));
  const std::string text = patterned_text(20'000);
  for (Watched& client : clients) {
    ASSERT_GE(client.last(), 0);
    send(*ring_, sending.emplace_back(), Socket{client.last()}, text);
  }
  ASSERT_TRUE(turn_until(*ring_, [&] {
    return all_ended(sending) && std::all_of(servers.begin(), servers.end(), [&](auto& each) {
             return each.text.size() >= text.size();
           });
  }));
  for (Watched& server : servers) EXPECT_TRUE(server.text == text);
  EXPECT_GT(ring_->statistics().starvations, 0u);
  // At rest: the receives wait for data, not for buffers, and a turn sleeps until the timer.
  const uint64_t sleeps = ring_->statistics().sleeps;
  WatchedTimer rest;
  arm(*ring_, rest, std::chrono::milliseconds{30});
  int turns = 0;
  while (rest.runs == 0) {
    ring_->turn(true);
    ASSERT_LT(++turns, 1000);
  }
  EXPECT_GT(ring_->statistics().sleeps, sleeps);
  for (Watched& client : clients) close_now({client.last()});
  pair_.close_all(*ring_);
}

TEST_F(LinuxRingTest, CancelAndCloseReachStarvedReceives) {
  ring_ =
      make_ring({.ingress_buffers = 1, .ingress_buffer_bytes = 64, .buffers_circulating_first = 1});
  open_pair();
  constexpr size_t count = 30;
  std::list<Watched> clients, servers, sending, closing;
  pair_.accepting.then = [&](const Outcome& outcome) {
    if (outcome.result < 0) return;
    const Socket socket = outcome.socket();
    // Every other one closes as soon as it hears a byte, while the rest starves.
    Watched& server = servers.emplace_back();
    if (servers.size() % 2 == 0) {
      pair_.more_servers.push_back(socket);
    } else {
      server.then = [this, &closing, &server, socket](const Outcome& heard) {
        if (heard.more && !server.op.pending()) return;
        if (heard.more) io::close(*ring_, closing.emplace_back(), socket);
        server.then = nullptr;
      };
    }
    receive(*ring_, server, socket);
  };
  for (size_t index = 0; index < count; ++index) {
    connect(*ring_, clients.emplace_back(), pair_.address);
  }
  ASSERT_TRUE(turn_until(*ring_, [&] { return servers.size() == count && all_ended(clients); }));
  const std::string text = patterned_text(500);
  for (Watched& client : clients) send(*ring_, sending.emplace_back(), {client.last()}, text);
  for (int turns = 0; turns < 3; ++turns) ring_->turn(false);
  for (const Socket socket : pair_.more_servers) {
    io::close(*ring_, closing.emplace_back(), socket);
  }
  pair_.more_servers.clear();
  ASSERT_TRUE(turn_until(*ring_, [&] {
    return closing.size() == count &&
           std::all_of(closing.begin(), closing.end(), [](auto& each) { return each.ended(); });
  }));
  for (Watched& server : servers) EXPECT_EQ(server.ends, 1);
  for (Watched& client : clients) close_now({client.last()});
  pair_.close_all(*ring_);
}

TEST_F(LinuxRingTest, TellsWhatItFound) {
  const std::string text = ring_->features_text();
  EXPECT_NE(text.find("io_uring with 2048 submissions"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace ringpost::io
