#include "io/epoll_ring.h"

#include "forbidden_calls.h"
#include "kernel_test.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <list>
#include <string>

namespace ringpost::io {
namespace {

size_t threads() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task")) {
    ++count;
  }
  return count;
}

class EpollRingTest : public KernelTest<EpollRing, testing::Test> {
 protected:
  EpollRingTest() : KernelTest(make_epoll_ring()) {}
};

TEST_F(EpollRingTest, LeavesNoThreadAndNoDescriptor) {
  const size_t threads_before = threads();
  const size_t descriptors_before = open_descriptors();
  {
    const auto other = make_epoll_ring({.file_threads = 3});
    EXPECT_EQ(threads(), threads_before + 3);
  }
  EXPECT_EQ(threads(), threads_before);
  EXPECT_EQ(open_descriptors(), descriptors_before);
}

// Goal: what a connection costs while it is busy: no call to epoll but the wait of each turn.
TEST_F(EpollRingTest, RegistersASocketOnce) {
  open_pair();
  Watched& receiving = *std::make_unique<Watched>().release();
  const std::unique_ptr<Watched> owned{&receiving};
  receive(*ring_, receiving, pair_.server);
  ring_->turn(false);
  for (int message = 1; message <= 10; ++message) {
    Watched sending;
    const uint64_t before = ring_->statistics().enters;
    send(*ring_, sending, pair_.client, "message");
    ring_->turn(true);
    ASSERT_TRUE(sending.ended());
    ASSERT_EQ(receiving.text.size(), size_t{7} * static_cast<size_t>(message));
    EXPECT_EQ(ring_->statistics().enters, before + 3) << "send, wait, receive";
  }
  pair_.close_all(*ring_);
}

// Goal: with everything open and nothing to do a ring sleeps in one piece.
TEST_F(EpollRingTest, OpenConnectionsWakeNobody) {
  open_pair();
  std::list<Watched> clients;
  for (int index = 0; index < 20; ++index) {
    connect(*ring_, clients.emplace_back(), pair_.address);
  }
  std::list<Watched> receives;
  ASSERT_TRUE(turn_until(
      *ring_, [&] { return all_ended(clients) && pair_.more_servers.size() == clients.size(); }));
  for (const Socket socket : pair_.more_servers) receive(*ring_, receives.emplace_back(), socket);
  // On a busy machine the kernel tells late of a connection that it has made: once of each.
  bool slept_through = false;
  for (int rests = 0; rests < 5 && !slept_through; ++rests) {
    const uint64_t before = ring_->statistics().enters;
    WatchedTimer rest;
    arm(*ring_, rest, std::chrono::milliseconds{50});
    int turns = 0;
    for (; rest.runs == 0; ++turns) ring_->turn(true);
    slept_through = turns <= 2 && ring_->statistics().enters <= before + 2;
  }
  EXPECT_TRUE(slept_through);
  for (Watched& client : clients) close_now({client.last()});
  pair_.close_all(*ring_);
  EXPECT_TRUE(all_ended(receives));
}

// Goal: timers keep their time where the kernel has only milliseconds to sleep.
TEST(EpollRing, WorksWithoutThePreciseWait) {
  for (const int errno_value : {ENOSYS, EPERM}) {
    const auto check = [] {
      auto ring = make_epoll_ring({.file_threads = 0});
      WatchedTimer timer;
      const Instant start = ring->now();
      arm(*ring, timer, std::chrono::milliseconds{21});
      int turns = 0;
      for (; timer.runs == 0; ++turns) ring->turn(true);
      if (ring->now() < start + std::chrono::milliseconds{21}) return 1;
      return turns <= 3 ? 0 : 2;
    };
    EXPECT_EQ(in_child_without({SYS_epoll_pwait2}, errno_value, check), 0) << errno_value;
  }
}

}  // namespace
}  // namespace ringpost::io
