#include "net/shard_resolver.h"

#include "io/linux_ring.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

// Goal: a shard gets each answer once, from its loop, in time, whatever the name servers do.
// Method: the real thread and c-ares against a name server of our own on a loopback port.

namespace ringpost::net {
namespace {

/// Answers A and AAAA questions from a table. A name that starts with "silent" gets no answer, one
/// that starts with "only4" or "only6" none to questions for the other family, an unknown one
/// NXDOMAIN.
class NameServer {
 public:
  NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr generic;
    std::memcpy(&generic, &address, sizeof generic);
    RINGPOST_ASSERT(::bind(socket_, &generic, sizeof generic) == 0);
    socklen_t size = sizeof generic;
    ::getsockname(socket_, &generic, &size);
    std::memcpy(&address, &generic, sizeof address);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~NameServer() {
    stopping_ = true;
    thread_.join();
    ::close(socket_);
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void set(const std::string& name, std::vector<std::string> ips, uint32_t ttl) {
    const std::lock_guard lock{mutex_};
    table_[name] = {std::move(ips), ttl};
  }
  void remove(const std::string& name) {
    const std::lock_guard lock{mutex_};
    table_.erase(name);
  }
  void fall_silent() { silent_ = true; }
  /// From now on each answer says that the server failed.
  void fail() { failing_ = true; }
  int questions() const { return questions_; }

 private:
  struct Record {
    std::vector<std::string> ips;
    uint32_t ttl = 0;
  };

  void serve() {
    while (!stopping_) {
      pollfd ready{.fd = socket_, .events = POLLIN};
      if (::poll(&ready, 1, 20) <= 0) continue;
      char question[512];
      sockaddr from;
      socklen_t from_size = sizeof from;
      const ssize_t size = ::recvfrom(socket_, question, sizeof question, 0, &from, &from_size);
      if (size < 17) continue;
      const std::string reply = answer({question, static_cast<size_t>(size)});
      if (!reply.empty()) ::sendto(socket_, reply.data(), reply.size(), 0, &from, from_size);
    }
  }

  std::string answer(const std::string& question) {
    std::string name;
    size_t at = 12;
    while (at < question.size() && question[at] != 0) {
      const auto length = static_cast<size_t>(question[at]);
      name += (name.empty() ? "" : ".") + question.substr(at + 1, length);
      at += length + 1;
    }
    const size_t end = at + 5;
    const bool asks_ipv4 = question[at + 2] == 1;
    if (asks_ipv4) ++questions_;
    if (silent_ || name.starts_with("silent")) return {};
    if (name.starts_with(asks_ipv4 ? "only6" : "only4")) return {};
    const std::lock_guard lock{mutex_};
    const auto found = table_.find(name);
    std::vector<std::string> ips;
    if (found != table_.end()) ips = found->second.ips;
    std::erase_if(ips, [&](const std::string& ip) {
      return (ip.find(':') == std::string::npos) != asks_ipv4;
    });
    std::string reply = question.substr(0, 2);
    reply += '\x81';  // An answer, recursion desired.
    reply += failing_ ? '\x82' : found == table_.end() ? '\x83' : '\x80';  // Or no error.
    if (failing_) ips.clear();
    reply += {'\0', '\1', '\0', static_cast<char>(ips.size()), '\0', '\0', '\0', '\0'};
    reply += question.substr(12, end - 12);
    for (const std::string& ip : ips) {
      const uint32_t ttl = htonl(found->second.ttl);
      char binary[16];
      inet_pton(asks_ipv4 ? AF_INET : AF_INET6, ip.c_str(), binary);
      const char size = asks_ipv4 ? 4 : 16;
      reply += {'\xc0', '\x0c', '\0', question[at + 2], '\0', '\1'};
      reply.append(reinterpret_cast<const char*>(&ttl), 4);
      reply += {'\0', size};
      reply.append(binary, static_cast<size_t>(size));
    }
    return reply;
  }

  int socket_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> silent_{false};
  std::atomic<bool> failing_{false};
  std::atomic<int> questions_{0};
  std::mutex mutex_;
  std::map<std::string, Record> table_;  // Guarded by mutex_.
  std::thread thread_;
};

struct Waiter {
  Query query;
  int calls = 0;
  bool inside = false;
  uint64_t share = 1;
  std::function<void()> then;

  void on_resolved() {
    EXPECT_FALSE(inside) << "told from within the question";
    ++calls;
    if (then) then();
  }
  void ask(Resolver& resolver, const std::string& host) {
    inside = true;
    resolver.resolve<&Waiter::on_resolved>(*this, query, host, share);
    inside = false;
  }
  std::string text() const {
    if (query.error) return std::string{name(query.error->code)};
    std::string all;
    for (const io::Address& address : query.addresses) all += address.to_text() + " ";
    return all;
  }
};

class Resolution : public ::testing::Test {
 protected:
  NameServer server;
  Counters counters;
  NameService::Options options() const {
    return {.servers = server.address(), .server_timeout = std::chrono::milliseconds{50}};
  }
  NameService service{options()};
  std::unique_ptr<io::LinuxRing> ring =
      std::move(io::LinuxRing::create({.sq_entries = 64,
                                       .cq_entries = 256,
                                       .ingress_buffers = 16,
                                       .reply_buffers = 16,
                                       .buffers_circulating_first = 16}))
          .value();
  std::unique_ptr<ShardResolver> resolver =
      std::make_unique<ShardResolver>(*ring, service, counters);

  bool run_until(const std::function<bool()>& done) {
    const Instant limit = ring->now() + std::chrono::seconds{20};
    while (!done()) {
      ring->arm<&Resolution::on_tick>(*this, tick_, std::chrono::milliseconds{50});
      ring->turn(!resolver->has_answers());
      resolver->poll();
      if (ring->now() > limit) return false;
    }
    return true;
  }
  std::string resolve(const std::string& host) {
    Waiter waiter;
    waiter.ask(*resolver, host);
    EXPECT_TRUE(run_until([&] { return waiter.calls > 0; }));
    EXPECT_EQ(waiter.calls, 1);
    return waiter.text();
  }

 private:
  void on_tick() {}
  io::Timer tick_;
};

TEST_F(Resolution, AnswersAddressesWithoutAThread) {
  EXPECT_EQ(resolve("192.0.2.7"), "192.0.2.7:0 ");
  EXPECT_EQ(resolve("2001:db8::7"), "[2001:db8::7]:0 ");
  EXPECT_EQ(server.questions(), 0);
}

TEST_F(Resolution, FindsAllAddressesOfAName) {
  server.set("hook.test", {"192.0.2.1", "192.0.2.2"}, 60);
  const std::string found = resolve("hook.test");
  EXPECT_NE(found.find("192.0.2.1:0 "), std::string::npos) << found;
  EXPECT_NE(found.find("192.0.2.2:0 "), std::string::npos) << found;
}

TEST_F(Resolution, BelievesAnAnswerForItsTimeToLive) {
  server.set("hook.test", {"192.0.2.1"}, 3600);
  EXPECT_EQ(resolve("hook.test"), "192.0.2.1:0 ");
  server.set("hook.test", {"192.0.2.2"}, 3600);
  EXPECT_EQ(resolve("hook.test"), "192.0.2.1:0 ");
  EXPECT_EQ(resolve("HOOK.test."), "192.0.2.1:0 ");
  EXPECT_EQ(server.questions(), 1);
}

TEST_F(Resolution, AsksAgainAfterTheTimeToLive) {
  server.set("hook.test", {"192.0.2.1"}, 0);  // Believed for a second.
  EXPECT_EQ(resolve("hook.test"), "192.0.2.1:0 ");
  server.set("hook.test", {"192.0.2.2"}, 0);
  EXPECT_TRUE(run_until([&] { return resolve("hook.test") == "192.0.2.2:0 "; }));
}

TEST_F(Resolution, SaysThatANameDoesNotExist) {
  EXPECT_EQ(resolve("nowhere.test"), "name_unresolved");
  const int questions = server.questions();
  EXPECT_EQ(resolve("nowhere.test"), "name_unresolved");
  EXPECT_EQ(server.questions(), questions);  // Believed for a while.
  server.set("empty.test", {}, 60);
  EXPECT_EQ(resolve("empty.test"), "name_unresolved");
}

TEST_F(Resolution, GivesUpOnASilentServer) {
  EXPECT_EQ(resolve("silent.test"), "name_timed_out");
}

/// A server is waited for much longer than a look-up may take.
class HalfSilence : public Resolution {
 protected:
  std::string resolve_patiently(const std::string& host) {
    Waiter waiter;
    waiter.ask(shard_, host);
    EXPECT_TRUE(run_until([&] {
      shard_.poll();
      return waiter.calls == 1;
    }));
    return waiter.text();
  }

 private:
  NameService patient_{{.servers = server.address(), .server_timeout = std::chrono::seconds{60}}};

 protected:
  ShardResolver shard_{*ring, patient_, counters, std::chrono::seconds{3}};
};

// RFC 8305, 3: a server that drops questions for one family holds up nobody.
TEST_F(HalfSilence, GoesOnWithTheFamilyThatIsThere) {
  server.set("only4.test", {"192.0.2.1", "192.0.2.2"}, 60);
  const std::string found = resolve_patiently("only4.test");
  EXPECT_NE(found.find("192.0.2.1:0 "), std::string::npos) << found;
  EXPECT_NE(found.find("192.0.2.2:0 "), std::string::npos) << found;
  EXPECT_EQ(resolve_patiently("only4.test"), found) << "remembered";
  server.set("only6.test", {"2001:db8::1", "192.0.2.3"}, 60);
  EXPECT_EQ(resolve_patiently("only6.test"), "[2001:db8::1]:0 ");
}

TEST_F(HalfSilence, DoesNotTakeOneFamilysNothingForAnAnswer) {
  server.set("only4.nothing.test", {"2001:db8::1"}, 60);
  EXPECT_EQ(resolve_patiently("only4.nothing.test"), "name_timed_out");
}

// RFC 6761, 6.3: neither a file nor a name server decides where this leads.
TEST_F(Resolution, KnowsThisHostByItself) {
  server.set("localhost", {"192.0.2.1"}, 60);
  for (const char* name : {"localhost", "LocalHost.", "app.localhost"}) {
    EXPECT_EQ(resolve(name), "127.0.0.1:0 [::1]:0 ") << name;
  }
  EXPECT_EQ(server.questions(), 0);
  EXPECT_EQ(resolve("localhost.test"), "name_unresolved");
}

TEST_F(Resolution, FindsBothFamilies) {
  server.set("both.test", {"192.0.2.1", "2001:db8::1"}, 60);
  const std::string found = resolve("both.test");
  EXPECT_NE(found.find("192.0.2.1:0 "), std::string::npos) << found;
  EXPECT_NE(found.find("[2001:db8::1]:0 "), std::string::npos) << found;
}

TEST_F(Resolution, RefusesWhatIsNoName) {
  for (const std::string& host :
       {std::string{}, std::string{"."}, std::string{"a b"}, std::string("a\0b", 3),
        std::string{"h\xc3\xb6ok.test"}, std::string{"a/b"}, std::string(254, 'a')}) {
    EXPECT_EQ(resolve(host), "name_unresolved") << host;
  }
  EXPECT_EQ(server.questions(), 0);
}

TEST_F(Resolution, AsksOnceForManyWhoWait) {
  server.set("hook.test", {"192.0.2.1"}, 60);
  std::vector<Waiter> waiters(50);
  for (Waiter& waiter : waiters) waiter.ask(*resolver, "hook.test");
  ASSERT_TRUE(run_until([&] { return waiters.back().calls == 1; }));
  for (const Waiter& waiter : waiters) EXPECT_EQ(waiter.text(), "192.0.2.1:0 ");
  EXPECT_EQ(server.questions(), 1);
}

TEST_F(Resolution, ForgetsAQuestionThatIsTakenBack) {
  server.set("hook.test", {"192.0.2.1"}, 60);
  Waiter kept;
  kept.ask(*resolver, "hook.test");
  {
    Waiter taken_back;
    taken_back.ask(*resolver, "hook.test");
    resolver->cancel(taken_back.query);
    resolver->cancel(taken_back.query);
    Waiter literal;
    literal.ask(*resolver, "192.0.2.1");
    resolver->cancel(literal.query);
    EXPECT_EQ(taken_back.calls + literal.calls, 0);
  }
  ASSERT_TRUE(run_until([&] { return kept.calls == 1; }));
}

TEST_F(Resolution, MayBeAskedAgainFromWithinAnAnswer) {
  server.set("one.test", {"192.0.2.1"}, 60);
  server.set("two.test", {"192.0.2.2"}, 60);
  Waiter waiter;
  waiter.then = [&] {
    if (waiter.calls == 1) waiter.ask(*resolver, "two.test");
    if (waiter.calls == 2) waiter.ask(*resolver, "192.0.2.3");
  };
  waiter.ask(*resolver, "one.test");
  ASSERT_TRUE(run_until([&] { return waiter.calls == 3; }));
  EXPECT_EQ(waiter.text(), "192.0.2.3:0 ");
}

// Who asks for silent names has most questions open, but not all of them.
TEST_F(HalfSilence, LeavesQuestionsToOthers) {
  server.set("hook.test", {"192.0.2.1"}, 60);
  std::vector<Waiter> crowd(NameService::Channel::questions_max * 2);
  int asked = 0;
  for (size_t i = 0; i < crowd.size(); ++i) {
    crowd[i].ask(shard_, "silent" + std::to_string(i) + ".test");
    if (!crowd[i].query.asked()) continue;
    ++asked;  // All at once are more than the server's socket holds.
    ASSERT_TRUE(run_until([&] { return server.questions() >= asked; }));
  }
  EXPECT_TRUE(crowd.front().query.asked());
  EXPECT_FALSE(crowd.back().query.asked());
  EXPECT_GT(counters.value(Counter::names_queued), crowd.size() / 2);
  Waiter other;
  other.share = 2;
  other.ask(shard_, "hook.test");
  EXPECT_TRUE(other.query.asked());
  ASSERT_TRUE(run_until([&] {
    shard_.poll();
    return other.calls == 1;
  }));
  EXPECT_EQ(other.text(), "192.0.2.1:0 ");
  EXPECT_EQ(crowd.front().calls, 0) << "still waits";
  for (Waiter& waiter : crowd) shard_.cancel(waiter.query);
}

// What was never asked is no failure of the name servers.
TEST_F(HalfSilence, EndsInTimeWhatWasNeverAsked) {
  std::vector<Waiter> crowd(NameService::Channel::questions_max + 1);
  for (size_t i = 0; i < crowd.size(); ++i) {
    crowd[i].ask(shard_, "silent" + std::to_string(i) + ".test");
  }
  ASSERT_TRUE(run_until([&] {
    shard_.poll();
    return crowd.back().calls == 1;
  }));
  EXPECT_EQ(crowd.back().text(), "overloaded");
  EXPECT_EQ(crowd.front().text(), "name_timed_out");
}

/// Names of which an answer is known that is no longer believed.
class StaleNames : public Resolution {
 protected:
  StaleNames() { resolver = std::make_unique<ShardResolver>(*ring, stale_, counters); }
  ~StaleNames() override { resolver.reset(); }  // Before its service.

  void learn(const std::string& name) {
    server.set(name, {"192.0.2.1"}, 0);
    EXPECT_EQ(resolve(name), "192.0.2.1:0 ");
    const Instant later = ring->now() + std::chrono::milliseconds{20};
    EXPECT_TRUE(run_until([&] { return ring->now() > later; }));
  }

 private:
  NameService stale_{{.servers = server.address(),
                      .ttl_min = std::chrono::milliseconds{10},
                      .stale_delay = std::chrono::milliseconds{20},
                      .server_timeout = std::chrono::milliseconds{50}}};
};

// RFC 8767: an answer goes on being used while its servers are silent or fail.
TEST_F(StaleNames, GoOnBeingUsedWhileTheirServersAreSilent) {
  learn("hook.test");
  server.fall_silent();
  EXPECT_EQ(resolve("hook.test"), "192.0.2.1:0 ");
  EXPECT_EQ(resolve("unknown.test"), "name_timed_out");
  const int questions = server.questions();
  EXPECT_EQ(resolve("hook.test"), "192.0.2.1:0 ") << "after the last try";
  EXPECT_EQ(server.questions(), questions) << "and not asked for again so soon";
}

TEST_F(StaleNames, GoOnBeingUsedWhileTheirServersFail) {
  learn("hook.test");
  server.fail();
  EXPECT_EQ(resolve("hook.test"), "192.0.2.1:0 ");
  EXPECT_EQ(resolve("unknown.test"), "name_unresolved");
  EXPECT_EQ(resolve("hook.test"), "192.0.2.1:0 ");
}

TEST_F(StaleNames, AreForgottenWhenTheirServersSayThatTheyDoNotExist) {
  learn("hook.test");
  server.remove("hook.test");
  EXPECT_TRUE(run_until([&] { return resolve("hook.test") == "name_unresolved"; }));
  EXPECT_EQ(resolve("hook.test"), "name_unresolved");
}

TEST_F(StaleNames, AreReplacedByALateAnswer) {
  learn("hook.test");
  server.set("hook.test", {"192.0.2.2"}, 60);
  EXPECT_TRUE(run_until([&] { return resolve("hook.test") == "192.0.2.2:0 "; }));
}

TEST_F(Resolution, MayEndWhileQuestionsAreUnanswered) {
  Waiter waiter;
  waiter.ask(*resolver, "silent.test");
  resolver.reset();
  EXPECT_FALSE(waiter.query.pending());
  EXPECT_EQ(waiter.calls, 0);
}

TEST_F(Resolution, KeepsNoMoreNamesThanItMay) {
  NameService small{{.servers = server.address(), .cache_entries_max = 2}};
  ShardResolver shard{*ring, small, counters};
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5; ++i) {
      const std::string name = "n" + std::to_string(i) + ".test";
      server.set(name, {"192.0.2.1"}, 60);
      Waiter waiter;
      waiter.ask(shard, name);
      ASSERT_TRUE(run_until([&] {
        shard.poll();
        return waiter.calls == 1;
      }));
      EXPECT_EQ(waiter.text(), "192.0.2.1:0 ");
    }
  }
  EXPECT_GE(server.questions(), 8);  // Two of five were remembered at most.
}

}  // namespace
}  // namespace ringpost::net
