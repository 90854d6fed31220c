// What an exchange costs the engine: a 1.2 KB request comes in, a 160 B reply goes out, over
// loopback TCP. The server is the ring's loop or, as the reference in the same run, a loop of
// epoll, recv and send. The peer runs on another thread and is the same for both. Measured is the
// CPU time of the server's thread, which a busy machine disturbs less than the time of the clock.
//
//     net_loop_bench [--smoke]

#include "io/linux_ring.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <vector>

namespace ringpost {
namespace {

constexpr size_t request_bytes = 1200;
constexpr size_t reply_bytes = 160;
constexpr uint32_t connections_max = 512;

/// What one server did.
struct Figures {
  double cpu_ns_per_exchange = 0;
  double completions_per_enter = 0;  ///< For epoll: events per wait.
};

struct Plan {
  uint32_t connections;
  uint64_t exchanges;  ///< Measured, after a tenth as many to warm up.
};

void require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::exit(1);
}

int64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// Notes the CPU time between the end of the warm-up and the last exchange.
class Meter {
 public:
  explicit Meter(const Plan& plan) : plan_(plan) {}

  /// @returns true when all exchanges are done.
  bool count_exchange(uint64_t enters, uint64_t completions) {
    ++done_;
    if (done_ == plan_.exchanges / 10) {
      begin_ns_ = thread_cpu_ns();
      enters_ = enters;
      completions_ = completions;
    }
    if (done_ != plan_.exchanges / 10 + plan_.exchanges) return false;
    figures_.cpu_ns_per_exchange =
        static_cast<double>(thread_cpu_ns() - begin_ns_) / static_cast<double>(plan_.exchanges);
    figures_.completions_per_enter = static_cast<double>(completions - completions_) /
                                     static_cast<double>(std::max<uint64_t>(enters - enters_, 1));
    return true;
  }
  const Figures& figures() const { return figures_; }

 private:
  const Plan plan_;
  uint64_t done_ = 0;
  int64_t begin_ns_ = 0;
  uint64_t enters_ = 0;
  uint64_t completions_ = 0;
  Figures figures_;
};

/// Keeps one request in flight on each connection until the server closes.
void run_peer(uint16_t port, uint32_t connections) {
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  require(poller >= 0, "epoll_create1");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string request(request_bytes, 'q');
  std::vector<size_t> received(connections_max * 4 + 64);
  for (uint32_t index = 0; index < connections; ++index) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0, "connect");
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    require(static_cast<size_t>(socket) < received.size(), "too many descriptors");
    epoll_event event{.events = EPOLLIN, .data = {.fd = socket}};
    require(epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event) == 0, "epoll_ctl");
    require(send(socket, request.data(), request.size(), MSG_NOSIGNAL) > 0, "send");
  }
  std::array<char, 4096> bytes;
  std::array<epoll_event, connections_max> events;
  for (uint32_t open = connections; open > 0;) {
    const int count = epoll_wait(poller, events.data(), static_cast<int>(events.size()), -1);
    for (int index = 0; index < count; ++index) {
      const int socket = events[static_cast<size_t>(index)].data.fd;
      const ssize_t got = recv(socket, bytes.data(), bytes.size(), 0);
      if (got <= 0) {
        close(socket);
        --open;
        continue;
      }
      size_t& total = received[static_cast<size_t>(socket)];
      total += static_cast<size_t>(got);
      if (total < reply_bytes) continue;
      total -= reply_bytes;
      // An error means that the server is done; the end of the stream follows.
      if (send(socket, request.data(), request.size(), MSG_NOSIGNAL) < 0) continue;
    }
  }
  close(poller);
}

// --- the ring ------------------------------------------------------------------------------------

class RingServer {
 public:
  RingServer(io::LinuxRing& ring, const Plan& plan) : ring_(ring), meter_(plan) {}

  Figures run(io::Socket listener, std::atomic<bool>& ready) {
    ring_.accept<&RingServer::on_accept>(*this, accepting_, listener);
    ready = true;
    while (!done_) ring_.turn(true);
    for (auto& connection : connections_) {
      ring_.close<&RingServer::on_close>(*this, connection->closing, connection->socket);
    }
    ring_.close<&RingServer::on_close>(*this, closing_, listener);
    while (ring_.pending_count() > 0) ring_.turn(true);
    return meter_.figures();
  }

 private:
  struct Connection {
    RingServer& server;
    io::Socket socket;
    io::Completion receiving, sending, closing;
    size_t received = 0;

    void on_receive(const io::Outcome& outcome) {
      received += outcome.bytes.size();
      if (received < request_bytes || sending.pending() || server.done_) return;
      received -= request_bytes;
      server.ring_.send<&Connection::on_send>(*this, sending, socket, as_bytes(server.reply_));
    }
    void on_send(const io::Outcome&) {
      const auto statistics = server.ring_.statistics();
      if (server.meter_.count_exchange(statistics.enters, statistics.completions)) {
        server.done_ = true;
      }
    }
  };

  void on_accept(const io::Outcome& outcome) {
    if (outcome.result < 0) return;
    auto& connection =
        *connections_.emplace_back(new Connection{*this, outcome.socket(), {}, {}, {}});
    ring_.receive<&Connection::on_receive>(connection, connection.receiving, connection.socket,
                                           io::ReceiveGroup::ingress);
  }
  void on_close(const io::Outcome&) {}

  io::LinuxRing& ring_;
  Meter meter_;
  bool done_ = false;
  const std::string reply_ = std::string(reply_bytes, 'r');
  io::Completion accepting_, closing_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

Figures measure_ring(const Plan& plan) {
  Figures figures;
  std::atomic<bool> ready = false;
  uint16_t port = 0;
  std::thread server{[&] {
    auto ring = io::LinuxRing::create({});
    if (!ring) {
      std::fprintf(stderr, "%s\n", io::explain_setup_failure(ring.error()).c_str());
      std::exit(1);
    }
    const io::Socket listener =
        (*ring)->listen(io::Address::parse("127.0.0.1:0").value(), {}).value();
    port = (*ring)->local_address(listener)->port;
    figures = RingServer{**ring, plan}.run(listener, ready);
  }};
  while (!ready) std::this_thread::yield();
  run_peer(port, plan.connections);
  server.join();
  return figures;
}

// --- the reference -------------------------------------------------------------------------------

/// A loop as one writes it on epoll: level triggered, a recv and a send per request, no second recv
/// to see that nothing is left.
Figures serve_with_epoll(int listener, const Plan& plan) {
  Meter meter{plan};
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  require(poller >= 0, "epoll_create1");
  std::vector<int> sockets;
  for (uint32_t index = 0; index < plan.connections; ++index) {
    const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    require(socket >= 0, "accept4");
    epoll_event event{.events = EPOLLIN, .data = {.fd = socket}};
    require(epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event) == 0, "epoll_ctl");
    sockets.push_back(socket);
  }
  const std::string reply(reply_bytes, 'r');
  std::vector<std::array<char, 4096>> buffers(connections_max * 4 + 64);
  std::vector<size_t> received(buffers.size());
  std::array<epoll_event, connections_max> events;
  uint64_t waits = 0, readies = 0;
  for (bool done = false; !done;) {
    const int count = epoll_wait(poller, events.data(), static_cast<int>(events.size()), -1);
    ++waits;
    readies += static_cast<uint64_t>(std::max(count, 0));
    for (int index = 0; index < count && !done; ++index) {
      const auto socket = static_cast<size_t>(events[static_cast<size_t>(index)].data.fd);
      const ssize_t got = recv(static_cast<int>(socket), buffers[socket].data(), 4096, 0);
      require(got > 0, "recv");
      received[socket] += static_cast<size_t>(got);
      if (received[socket] < request_bytes) continue;
      received[socket] -= request_bytes;
      require(send(static_cast<int>(socket), reply.data(), reply.size(), MSG_NOSIGNAL) > 0, "send");
      done = meter.count_exchange(waits, readies);
    }
  }
  for (const int socket : sockets) close(socket);
  close(poller);
  return meter.figures();
}

Figures measure_epoll(const Plan& plan) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  const int on = 1;
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  require(bind(listener, reinterpret_cast<sockaddr*>(&at), size) == 0, "bind");
  require(listen(listener, 4096) == 0, "listen");
  require(getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) == 0, "getsockname");
  Figures figures;
  std::thread server{[&] { figures = serve_with_epoll(listener, plan); }};
  run_peer(ntohs(at.sin_port), plan.connections);
  server.join();
  close(listener);
  return figures;
}

// --- the table -----------------------------------------------------------------------------------

Figures median(std::vector<Figures> rounds) {
  std::sort(rounds.begin(), rounds.end(), [](const Figures& left, const Figures& right) {
    return left.cpu_ns_per_exchange < right.cpu_ns_per_exchange;
  });
  return rounds[rounds.size() / 2];
}

void print_row(const Plan& plan, int rounds) {
  std::vector<Figures> ring, epoll;
  for (int round = 0; round < rounds; ++round) {  // In turn, so that both meet the same weather.
    ring.push_back(measure_ring(plan));
    epoll.push_back(measure_epoll(plan));
  }
  const Figures ours = median(ring);
  const Figures theirs = median(epoll);
  const double limit = plan.connections >= 64 ? 0.90 : 1.15;
  const double ratio = ours.cpu_ns_per_exchange / theirs.cpu_ns_per_exchange;
  std::printf("%11u %12.0f %14.1f %12.0f %12.1f %8.2f %8.2f  %s\n", plan.connections,
              ours.cpu_ns_per_exchange, ours.completions_per_enter, theirs.cpu_ns_per_exchange,
              theirs.completions_per_enter, ratio, limit, ratio <= limit ? "kept" : "missed");
  std::fflush(stdout);
}

void print_table(bool smoke) {
  std::printf(
      "request 1,200 B, reply 160 B, loopback TCP; ns of CPU of the server's thread per "
      "exchange\n");
  std::printf("%11s %12s %14s %12s %12s %8s %8s\n", "connections", "ring ns", "CQEs/enter",
              "epoll ns", "events/wait", "ratio", "limit");
  for (const uint32_t connections : {1U, 64U, connections_max}) {
    const uint64_t exchanges = smoke ? 2000 : (connections == 1 ? 20'000 : 200'000);
    print_row({connections, exchanges}, smoke ? 1 : 5);
  }
}

}  // namespace
}  // namespace ringpost

int main(int argc, char** argv) {
  ringpost::print_table(argc > 1 && std::strcmp(argv[1], "--smoke") == 0);
  return 0;
}
