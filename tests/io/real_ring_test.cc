#include "base/mailbox.h"
#include "io/engine.h"
#include "io/linux_ring.h"
#include "io/listener.h"
#include "kernel_test.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <list>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace ringpost::io {
namespace {

int socket_option(Socket socket, int level, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(getsockopt(socket.handle, level, option, &value, &size), 0);
  return value;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(lstat(path.c_str(), &status), 0);
  return status.st_mode;
}

/// Few descriptors for this process, until it ends. The kernel notes the limit when an accept is
/// submitted, so this comes before that.
class DescriptorLimit {
 public:
  DescriptorLimit() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit limit = before_;
    limit.rlim_cur = open_descriptors() + 30;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

/// Holds all descriptors that are left.
class DescriptorShortage {
 public:
  DescriptorShortage() {
    for (int held = dup(0); held >= 0; held = dup(0)) held_.push_back(held);
    EXPECT_EQ(errno, EMFILE);
  }
  DescriptorShortage(const DescriptorShortage&) = delete;
  DescriptorShortage& operator=(const DescriptorShortage&) = delete;
  ~DescriptorShortage() {
    for (const int held : held_) ::close(held);
  }

 private:
  std::vector<int> held_;
};

/// For each engine.
class RealRingTest : public KernelTest<Ring, testing::TestWithParam<Engine>> {
 protected:
  RealRingTest() : KernelTest(make_ring(GetParam())) {}
};

INSTANTIATE_TEST_SUITE_P(Engines, RealRingTest, testing::Values(Engine::io_uring, Engine::epoll),
                         [](const auto& made) { return std::string{to_text(made.param)}; });

// --- listeners and addresses ---------------------------------------------------------------------

TEST_P(RealRingTest, EchoesOverIpv6) {
  open_pair(Address::parse("[::1]:0").value());
  EXPECT_EQ(pair_.address.family, Address::Family::ipv6);
  expect_echo();
}

TEST_P(RealRingTest, EchoesOverUnixSockets) {
  open_pair(unix_address());
  EXPECT_EQ(pair_.address, unix_address());
  const Address peer = ring_->peer_address(pair_.server).value();
  EXPECT_EQ(peer.family, Address::Family::unix_path);
  EXPECT_EQ(peer.path, "");
  EXPECT_EQ(ring_->peer_address(pair_.client)->path, "");
  expect_echo();
}

TEST_P(RealRingTest, SendsSmallMessagesAtOnceOnBothSides) {
  open_pair();
  EXPECT_NE(socket_option(pair_.server, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(socket_option(pair_.client, IPPROTO_TCP, TCP_NODELAY), 0);
}

TEST_P(RealRingTest, LeavesNoDescriptorToPrograms) {
  open_pair();
  for (const Socket socket : {pair_.listener, pair_.server, pair_.client}) {
    EXPECT_NE(fcntl(socket.handle, F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST_P(RealRingTest, UnixSocketHasItsModeWhateverTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{0777}}) {
    const mode_t before = umask(mask);
    const auto listener = ring_->listen(unix_address(), {.unix_mode = 0620});
    umask(before);
    ASSERT_TRUE(listener);
    EXPECT_EQ(mode_of(directory_ / "x.sock"), mode_t{S_IFSOCK | 0620});
    close_now(*listener);
  }
}

TEST_P(RealRingTest, ReplacesTheSocketOfADeadProcess) {
  const auto first = ring_->listen(unix_address(), {});
  ASSERT_TRUE(first);
  close_now(*first);  // The file stays, as after a crash.
  ASSERT_TRUE(S_ISSOCK(mode_of(directory_ / "x.sock")));
  open_pair(unix_address());
  expect_echo();
}

// It refuses connections as the socket of a dead process does.
TEST_P(RealRingTest, LeavesASocketAloneThatIsBoundAndDoesNotListenYet) {
  for (const bool relative : {false, true}) {
    const std::string path = directory_ / "x.sock";
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const auto before = std::filesystem::current_path();
    if (relative) std::filesystem::current_path(std::filesystem::path{path}.parent_path());
    std::strcpy(name.sun_path, relative ? "x.sock" : path.c_str());
    const int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int result = bind(bound, reinterpret_cast<const sockaddr*>(&name), sizeof name);
    std::filesystem::current_path(before);
    ASSERT_EQ(result, 0);
    const auto refused = ring_->listen(unix_address(), {});
    ASSERT_FALSE(refused) << relative;
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_TRUE(S_ISSOCK(mode_of(path))) << "it was removed";
    ::close(bound);
    const auto listener = ring_->listen(unix_address(), {});
    ASSERT_TRUE(listener) << "its process is gone";
    close_now(*listener);
    unlink(path.c_str());
  }
}

TEST(Listener, CollidesWithTheSameAddressAndWithAllOfThem) {
  const auto collides = [](const char* one, const char* other) {
    const Address left = Address::parse(one).value();
    const Address right = Address::parse(other).value();
    EXPECT_EQ(collide(left, right), collide(right, left));
    return collide(left, right);
  };
  EXPECT_TRUE(collides("127.0.0.1:80", "127.0.0.1:80"));
  EXPECT_TRUE(collides("0.0.0.0:80", "127.0.0.1:80"));
  EXPECT_TRUE(collides("[::]:80", "[::1]:80"));
  EXPECT_TRUE(collides("unix:/a/x", "unix:/a/./b/../x"));
  EXPECT_FALSE(collides("127.0.0.1:80", "127.0.0.1:81"));
  EXPECT_FALSE(collides("127.0.0.1:80", "127.0.0.2:80"));
  EXPECT_FALSE(collides("0.0.0.0:80", "[::]:80"));
  EXPECT_FALSE(collides("127.0.0.1:0", "127.0.0.1:0")) << "each gets a port of its own";
  EXPECT_FALSE(collides("unix:/a/x", "unix:/a/y"));
  EXPECT_FALSE(collides("unix:/a/x", "127.0.0.1:80"));
}

TEST_P(RealRingTest, LeavesALiveSocketAlone) {
  open_pair(unix_address());
  const auto refused = ring_->listen(unix_address(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_EQ(explain_listen_failure(unix_address(), refused.error()),
            "cannot listen at " + unix_address().to_text() +
                ": another process listens there; stop it, or choose another address with "
                "--listen");
  expect_echo();
}

TEST_P(RealRingTest, TakesAFullBacklogForAlive) {
  const Socket listener = ring_->listen(unix_address(), {.backlog = 0}).value();
  Watched connecting[3];
  for (Watched& each : connecting) connect(*ring_, each, unix_address());
  for (int turns = 0; turns < 5; ++turns) ring_->turn(false);
  EXPECT_EQ(ring_->listen(unix_address(), {}).error().code, Errc::conflict);
  for (Watched& each : connecting) ring_->cancel(each.op);
  EXPECT_TRUE(turn_until(*ring_, [&] { return ring_->pending_count() == 0; }));
  for (Watched& each : connecting) {
    if (each.last() >= 0) close_now({each.last()});
  }
  close_now(listener);
}

TEST_P(RealRingTest, LeavesOtherFilesAlone) {
  std::ofstream{directory_ / "file"} << "precious";
  ASSERT_EQ(symlink("file", (directory_ / "link").c_str()), 0);
  for (const char* name : {"file", "link"}) {
    const auto refused = ring_->listen(unix_address(name), {});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Errc::conflict) << name;
    EXPECT_EQ(
        explain_listen_failure(unix_address(name), refused.error()),
        "cannot listen at " + unix_address(name).to_text() +
            ": a file that is not a socket is in the way (it was not removed); choose another "
            "path with --listen");
  }
  std::string text;
  std::ifstream{directory_ / "link"} >> text;
  EXPECT_EQ(text, "precious");
  EXPECT_FALSE(ring_->listen(unix_address("absent/x.sock"), {}));
}

TEST_P(RealRingTest, SharesAPortOnlyIfAsked) {
  const Socket first = ring_->listen(Address::parse("127.0.0.1:0").value(), {}).value();
  const Address address = ring_->local_address(first).value();
  const Socket second = ring_->listen(address, {}).value();
  const auto third = ring_->listen(address, {.reuse_port = false});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::conflict);
  close_now(first);
  close_now(second);
}

TEST_P(RealRingTest, SharesNoPortThatMustBeFree) {
  const ListenOptions alone{.must_be_free = true};
  const Socket first = ring_->listen(Address::parse("127.0.0.1:0").value(), alone).value();
  const Address address = ring_->local_address(first).value();
  const Socket second = ring_->listen(address, {}).value();
  const auto third = ring_->listen(address, alone);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::conflict);
  close_now(first);
  close_now(second);
  const auto fourth = ring_->listen(address, alone);
  ASSERT_TRUE(fourth);
  close_now(*fourth);
}

// Method: several ports, since another program may have one of them over IPv4 alone.
TEST_P(RealRingTest, KeepsTheTwoAnyAddressesApart) {
  bool apart = false;
  for (int tries = 0; tries < 20 && !apart; ++tries) {
    const Socket ipv6 = ring_->listen(Address::parse("[::]:0").value(), {}).value();
    Address address = Address::parse("0.0.0.0:0").value();
    address.port = ring_->local_address(ipv6)->port;
    const auto ipv4 = ring_->listen(address, {.reuse_port = false});
    apart = ipv4.has_value();
    close_now(ipv6);
    if (ipv4) close_now(*ipv4);
  }
  EXPECT_TRUE(apart);
}

// --- shortages -----------------------------------------------------------------------------------

// Goal: without descriptors, connections wait in the backlog and the loop does not spin.
TEST_P(RealRingTest, AcceptWaitsOutAShortageOfDescriptors) {
  const DescriptorLimit limit;
  open_pair();
  Watched client;
  const size_t served_before = pair_.more_servers.size();
  {
    connect(*ring_, client, pair_.address);
    const DescriptorShortage shortage;
    ASSERT_TRUE(turn_until(*ring_, [&] { return ring_->statistics().accept_pauses >= 2; }));
    EXPECT_EQ(pair_.more_servers.size(), served_before);
    EXPECT_TRUE(pair_.accepting.op.pending());
    EXPECT_LT(ring_->statistics().enters, 200u);
  }
  ASSERT_TRUE(turn_until(
      *ring_, [&] { return pair_.more_servers.size() > served_before && client.ended(); }));
  ASSERT_GE(client.last(), 0);
  close_now({client.last()});
}

TEST_P(RealRingTest, CancelReachesAPausedAccept) {
  const DescriptorLimit limit;
  open_pair();
  Watched client;
  connect(*ring_, client, pair_.address);
  const DescriptorShortage shortage;
  ASSERT_TRUE(turn_until(*ring_, [&] { return ring_->statistics().accept_pauses >= 1; }));
  ring_->cancel(pair_.accepting.op);
  EXPECT_FALSE(pair_.accepting.ended());
  ASSERT_TRUE(turn_until(*ring_, [&] { return pair_.accepting.ended() && client.ended(); }));
  EXPECT_EQ(pair_.accepting.last(), -ECANCELED);
  close_now({client.last()});
}

TEST_P(RealRingTest, ConnectReportsAShortageOfDescriptorsFromTheNextTurn) {
  const DescriptorLimit limit;
  open_pair();
  const DescriptorShortage shortage;
  Watched client;
  connect(*ring_, client, pair_.address);
  EXPECT_FALSE(client.ended());
  ring_->turn(true);  // Does not sleep: there is an end to report.
  EXPECT_EQ(client.results, std::vector<int32_t>{-EMFILE});
}

TEST_P(RealRingTest, LosesNoDescriptorWhateverEndsAConnection) {
  open_pair();
  const size_t before = open_descriptors();
  std::list<Watched> watched;
  for (int round = 0; round < 60; ++round) {
    Watched& client = watched.emplace_back();
    connect(*ring_, client, pair_.address);
    if (round % 3 == 0) ring_->cancel(client.op);
    if (round % 3 == 1) ring_->turn(false);
    if (round % 3 == 1) ring_->cancel(client.op);
  }
  ASSERT_TRUE(turn_until(*ring_, [&] { return ring_->pending_count() == 1; }));
  for (Watched& client : watched) {
    if (client.last() >= 0) close_now({client.last()});
  }
  for (int turns = 0; turns < 20; ++turns) ring_->turn(false);
  for (const Socket socket : pair_.more_servers) close_now(socket);
  pair_.more_servers.clear();
  EXPECT_EQ(open_descriptors(), before);
}

// Goal: a burst of connections is accepted whole, each byte reaches its own connection.
TEST_P(RealRingTest, TakesAFloodOfConnections) {
  open_pair();
  constexpr size_t count = 400;
  std::list<Watched> clients, servers, sending;
  pair_.accepting.then = [&](const Outcome& outcome) {
    if (outcome.result < 0) return;
    pair_.more_servers.push_back(outcome.socket());
    receive(*ring_, servers.emplace_back(), outcome.socket());
  };
  for (size_t index = 0; index < count; ++index) {
    Watched& client = clients.emplace_back();
    client.then = [&](const Outcome& outcome) {
      if (outcome.result >= 0) send(*ring_, sending.emplace_back(), outcome.socket(), "hello");
    };
    connect(*ring_, client, pair_.address);
  }
  ASSERT_TRUE(turn_until(*ring_, [&] {
    return servers.size() == count && all_ended(clients) && all_ended(sending) &&
           std::all_of(servers.begin(), servers.end(),
                       [](auto& each) { return each.text == "hello"; });
  }));
  for (Watched& client : clients) {
    client.then = nullptr;
    close_now({client.last()});
  }
  pair_.close_all(*ring_);
}

// --- waking --------------------------------------------------------------------------------------

// Goal: no message is lost between a mailbox and a sleeping ring.
// Method: two senders, each with its own mailbox, push one message at a time at random moments; the
// ring has no timer, so one lost wake-up would hang the test.
TEST_P(RealRingTest, WakesForEveryMessageOfOtherThreads) {
  constexpr int messages = 3000;
  Mailbox<int> mailboxes[] = {Mailbox<int>{64}, Mailbox<int>{64}};
  std::atomic<int> taken[2] = {0, 0};
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 2; ++sender) {
    senders.emplace_back([&, sender] {
      Prng random{static_cast<uint64_t>(sender)};
      for (int message = 0; message < messages; ++message) {
        ASSERT_TRUE(mailboxes[sender].push(int{message}));
        ring_->waker().wake();
        // Until it was taken: then the ring is about to sleep.
        while (taken[sender].load() <= message) {
          if (random.chance(1, 4)) std::this_thread::yield();
        }
      }
    });
  }
  int total = 0;
  while (total < 2 * messages) {
    ring_->turn(true);
    for (int sender = 0; sender < 2; ++sender) {
      int message = 0;
      while (mailboxes[sender].pop(message)) {
        EXPECT_EQ(message, taken[sender].load());
        ++total;
        taken[sender].fetch_add(1);
      }
    }
  }
  for (std::thread& sender : senders) sender.join();
}

// Goal: at rest nothing runs. Method: with only a far timer the ring sleeps once, until it is
// woken.
TEST_P(RealRingTest, SleepsInOnePieceWhenOnlyAFarTimerIsArmed) {
  WatchedTimer far;
  arm(*ring_, far, std::chrono::hours{3});
  ring_->turn(false);
  const RingStatistics before = ring_->statistics();
  std::thread other{[&] {
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
    ring_->waker().wake();
  }};
  ring_->turn(true);
  EXPECT_EQ(ring_->statistics().sleeps, before.sleeps + 1);
  EXPECT_EQ(ring_->statistics().enters, before.enters + 1);
  EXPECT_EQ(far.runs, 0);
  other.join();
}

// --- memory and failures -------------------------------------------------------------------------

TEST_P(RealRingTest, WriteReportsTheDisksError) {
  std::ofstream{directory_ / "readonly"} << std::string(8192, 'x');
  const int handle = ::open((directory_ / "readonly").c_str(), O_RDONLY | O_CLOEXEC);
  AlignedBytes bytes{4096};
  Watched writing;
  write(*ring_, writing, File{handle}, 0, bytes.bytes);
  EXPECT_TRUE(turn_until(*ring_, [&] { return writing.ended(); }));
  EXPECT_EQ(writing.results, std::vector<int32_t>{-EBADF});
  ::close(handle);
}

// Goal: a write beyond the limit of a file's size says so, however the kernel cuts it and whether
// the file is direct. Method: limits on and off the alignment, by the ring and by the disk.
TEST_P(RealRingTest, AWriteBeyondTheLimitOfAFileSaysSo) {
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  std::ofstream{directory_ / "segment"} << std::string(16'384, 'x');
  PosixDisk disk;
  bool direct = false;
  for (const rlim_t limit : {rlim_t{8192}, rlim_t{8193}, rlim_t{9000}, rlim_t{10'000}}) {
    const File file = disk.open_journal(directory_ / "segment", direct).value();
    const rlimit small{.rlim_cur = limit, .rlim_max = before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    AlignedBytes bytes{8192};
    Watched writing;
    write(*ring_, writing, file, 4096, bytes.bytes);
    EXPECT_TRUE(turn_until(*ring_, [&] { return writing.ended(); }));
    const auto written = disk.write_at(file, 4096, bytes.bytes);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_EQ(writing.results, std::vector<int32_t>{-EFBIG}) << limit;
    ASSERT_FALSE(written) << limit;
    EXPECT_EQ(written.error().detail, EFBIG) << limit;
    disk.close(file);
  }
  std::signal(SIGXFSZ, handler);
}

}  // namespace
}  // namespace ringpost::io
