// What newer kernels offer a ring that ringpost does not use, against what it does use:
//
// - waiting: a time limit as an argument of each entry (today), against one in registered memory
// (Linux 6.13) and
//   against none at all, with events at random times;
// - receiving: one buffer for each completion (today), against bundles of buffers (6.10) and
// buffers that the kernel
//   fills bit by bit (6.12).
//
// Debian 12's headers do not name these, hence the numbers below. Measured is the CPU time of the
// ring's thread. What the kernel lacks is left out, and said.
//
//     ring_features_bench [--smoke]

#include "../measure.h"

#include <liburing.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <random>
#include <span>
#include <string>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace ringpost {
namespace {

// --- what <linux/io_uring.h> of Linux 6.13 says
// ---------------------------------------------------

constexpr unsigned enter_registered_argument = 1U << 6;  // IORING_ENTER_EXT_ARG_REG
constexpr unsigned register_memory = 34;                 // IORING_REGISTER_MEM_REGION
constexpr uint64_t memory_is_wait_argument = 1;          // IORING_MEM_REGION_REG_WAIT_ARG
constexpr uint32_t memory_is_ours = 1;                   // IORING_MEM_REGION_TYPE_USER
constexpr uint32_t wait_has_time = 1;                    // IORING_REG_WAIT_TS
constexpr uint16_t receive_bundle = 1U << 4;             // IORING_RECVSEND_BUNDLE
constexpr uint16_t buffers_in_parts = 2;                 // IOU_PBUF_RING_INC
constexpr unsigned buffer_has_more = 1U << 4;            // IORING_CQE_F_BUF_MORE

struct Region {
  uint64_t address, size;
  uint32_t flags, id;
  uint64_t map_offset, reserved[4];
};
struct RegionRegistration {
  uint64_t region, flags, reserved[2];
};
struct WaitArgument {
  __kernel_timespec time;
  uint32_t minimum_us, flags;
  uint64_t signals;
  uint32_t signals_size, padding[3];
  uint64_t padding_2[2];
};
static_assert(sizeof(Region) == 64 && sizeof(WaitArgument) == 64);

void require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::exit(1);
}

// --- a ring
// ---------------------------------------------------------------------------------------

enum class Wait : uint8_t { no_limit, argument, registered };

/// As ringpost's: one issuer, deferred work, registered descriptor.
class Ring {
 public:
  explicit Ring(Wait wait) : wait_(wait) {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                       IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED;
    parameters.cq_entries = 16'384;
    require(io_uring_queue_init_params(1024, &ring_, &parameters) == 0,
            "io_uring_queue_init_params");
    usable_ = wait != Wait::registered || register_limit();
    require(register_at(IORING_REGISTER_ENABLE_RINGS, nullptr, 0), "IORING_REGISTER_ENABLE_RINGS");
    require(io_uring_register_ring_fd(&ring_) == 1, "io_uring_register_ring_fd");
  }
  ~Ring() { io_uring_queue_exit(&ring_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  bool usable() const { return usable_; }
  io_uring& handle() { return ring_; }

  /// Hands over what is staged; returns once a completion is there, or after a second.
  void wait() {
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING;
    io_uring_getevents_arg argument{
        .sigmask = 0, .sigmask_sz = 0, .pad = 0, .ts = reinterpret_cast<uint64_t>(&limit_->time)};
    const void* passed = nullptr;
    size_t size = 0;
    if (wait_ == Wait::argument) {
      flags |= IORING_ENTER_EXT_ARG;
      passed = &argument;
      size = sizeof argument;
    } else if (wait_ == Wait::registered) {
      flags |= IORING_ENTER_EXT_ARG | enter_registered_argument;
      size = sizeof(WaitArgument);  // At offset 0.
    }
    require(io_uring_submit(&ring_) >= 0, "io_uring_submit");
    const auto entered =
        ::syscall(__NR_io_uring_enter, ring_.enter_ring_fd, 0, 1, flags, passed, size);
    require(entered >= 0 || errno == ETIME || errno == EINTR, "io_uring_enter");
  }

 private:
  bool register_at(unsigned what, void* argument, unsigned count) const {
    return ::syscall(__NR_io_uring_register, ring_.ring_fd, what, argument, count) == 0;
  }
  bool register_limit() {
    Region region{.address = reinterpret_cast<uint64_t>(limit_),
                  .size = 4096,
                  .flags = memory_is_ours,
                  .id = 0,
                  .map_offset = 0,
                  .reserved = {}};
    RegionRegistration registration{.region = reinterpret_cast<uint64_t>(&region),
                                    .flags = memory_is_wait_argument,
                                    .reserved = {}};
    return register_at(register_memory, &registration, 1);
  }
  static WaitArgument* make_limit() {
    void* const page =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(page != MAP_FAILED, "mmap");
    auto* const limit = new (page) WaitArgument{};  // Kept to the end of the process.
    limit->time.tv_sec = 1;
    limit->flags = wait_has_time;
    return limit;
  }

  const Wait wait_;
  WaitArgument* const limit_ = make_limit();
  io_uring ring_{};
  bool usable_ = false;
};

// --- buffers and sockets
// --------------------------------------------------------------------------

enum class Receive : uint8_t { one_buffer, bundle, parts, parts_in_bundles };

bool in_bundles(Receive receive) {
  return receive == Receive::bundle || receive == Receive::parts_in_bundles;
}
bool in_parts(Receive receive) {
  return receive == Receive::parts || receive == Receive::parts_in_bundles;
}

/// 1 MiB that the kernel fills: 256 buffers of 4 KiB, or 16 of 64 KiB if it fills them in parts.
class Buffers {
 public:
  Buffers(Ring& ring, Receive receive)
      : count_(in_parts(receive) ? 16 : 256),
        bytes_(1'048'576 / count_),
        used_(count_),
        memory_(new std::byte[1'048'576]()) {
    ring_ = static_cast<io_uring_buf_ring*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<uint64_t>(ring_);
    registration.ring_entries = count_;
    if (in_parts(receive)) registration.pad = buffers_in_parts;  // `flags` in newer headers.
    usable_ = io_uring_register_buf_ring(&ring.handle(), &registration, 0) == 0;
    for (uint16_t buffer = 0; buffer < count_; ++buffer) give_back(buffer);
  }

  bool usable() const { return usable_; }

  /// Takes what one completion brought, and gives the buffers back. @returns how many buffers it
  /// touched.
  uint32_t take(const io_uring_cqe& cqe) {
    auto buffer = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    uint32_t touched = 0;
    for (auto left = static_cast<uint32_t>(cqe.res); left > 0;) {
      const uint32_t here = std::min(left, bytes_ - used_[buffer]);
      sum_ = sum_ + static_cast<uint64_t>(memory_[size_t{buffer} * bytes_ + used_[buffer]]);
      used_[buffer] += here;
      left -= here;
      ++touched;
      if (left == 0 && (cqe.flags & buffer_has_more) != 0) break;
      give_back(buffer);
      buffer = static_cast<uint16_t>((buffer + 1) % count_);  // They are given back in their order.
    }
    return touched;
  }

 private:
  void give_back(uint16_t buffer) {
    used_[buffer] = 0;
    io_uring_buf_ring_add(ring_, memory_.get() + size_t{buffer} * bytes_, bytes_, buffer,
                          io_uring_buf_ring_mask(count_), 0);
    io_uring_buf_ring_advance(ring_, 1);
  }

  const uint16_t count_;
  const uint32_t bytes_;
  std::vector<uint32_t> used_;  ///< Bytes of each buffer.
  std::unique_ptr<std::byte[]> memory_;
  io_uring_buf_ring* ring_ = nullptr;
  bool usable_ = false;
  volatile uint64_t sum_ = 0;  ///< So that the bytes are looked at.
};

struct Connection {
  int ours = -1;
  int theirs = -1;
};

std::vector<Connection> connect_many(size_t count) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  require(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
              listen(listener, 128) == 0 &&
              getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0,
          "listen");
  std::vector<Connection> connections(count);
  const int on = 1;
  for (Connection& connection : connections) {
    connection.theirs = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(connect(connection.theirs, reinterpret_cast<sockaddr*>(&address), size) == 0,
            "connect");
    setsockopt(connection.theirs, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection.ours = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    require(connection.ours >= 0, "accept");
  }
  close(listener);
  return connections;
}

void send_all(int socket, std::span<const char> message) {
  while (!message.empty()) {
    const ssize_t sent = send(socket, message.data(), message.size(), MSG_NOSIGNAL);
    require(sent > 0, "send");
    message = message.subspan(static_cast<size_t>(sent));
  }
}

void arm(Ring& ring, const std::vector<Connection>& connections, size_t index, Receive receive) {
  io_uring_sqe* const sqe = io_uring_get_sqe(&ring.handle());
  require(sqe != nullptr, "io_uring_get_sqe");
  io_uring_prep_recv_multishot(sqe, connections[index].ours, nullptr, 0, 0);
  if (in_bundles(receive)) sqe->ioprio |= receive_bundle;
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->user_data = index;
}

struct Figures {
  double cpu_ns = 0;  ///< For each event or message.
  double wakes = 0;
  double completions = 0;
  double buffers = 0;
};

/// Receives until so many bytes are there. @returns false if the kernel knows no such receive.
class Receiver {
 public:
  Receiver(Wait wait, Receive receive, const std::vector<Connection>& connections)
      : ring_(wait), buffers_(ring_, receive), receive_(receive), connections_(connections) {
    if (!usable()) return;
    for (size_t index = 0; index < connections.size(); ++index)
      arm(ring_, connections, index, receive);
    require(io_uring_submit(&ring_.handle()) >= 0, "io_uring_submit");
  }

  bool usable() const { return ring_.usable() && buffers_.usable() && known_; }

  bool receive(uint64_t bytes, Figures& figures) {
    while (bytes > 0) {
      ring_.wait();
      figures.wakes += 1;
      unsigned head = 0;
      unsigned count = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring_.handle(), head, cqe) {
        ++count;
        if (cqe->res > 0) {
          bytes -= static_cast<uint64_t>(cqe->res);
          figures.completions += 1;
          figures.buffers += buffers_.take(*cqe);
        } else if (cqe->res != -ENOBUFS) {
          return known_ = false;
        }
        if ((cqe->flags & IORING_CQE_F_MORE) == 0)
          arm(ring_, connections_, cqe->user_data, receive_);
      }
      io_uring_cq_advance(&ring_.handle(), count);
    }
    return true;
  }

 private:
  Ring ring_;
  Buffers buffers_;
  const Receive receive_;
  const std::vector<Connection>& connections_;
  bool known_ = true;
};

void close_all(const std::vector<Connection>& connections) {
  for (const Connection& connection : connections) {
    close(connection.ours);
    close(connection.theirs);
  }
}

// --- waiting
// --------------------------------------------------------------------------------------

constexpr size_t connection_count = 64;
constexpr size_t event_bytes = 160;

/// CPU for each event, of events at random times. Negative: the kernel cannot wait so.
Figures measure_wait(Wait wait, uint32_t events_per_second, uint32_t events) {
  const std::vector<Connection> connections = connect_many(connection_count);
  Receiver receiver{wait, Receive::one_buffer, connections};
  Figures figures{.cpu_ns = -1};
  if (receiver.usable()) {
    std::thread sender{[&] {
      std::mt19937 random{events_per_second};
      std::exponential_distribution<double> pause{static_cast<double>(events_per_second)};
      const std::array<char, event_bytes> event{};
      for (uint32_t number = 0; number < events; ++number) {
        std::this_thread::sleep_for(std::chrono::duration<double>{pause(random)});
        send_all(connections[random() % connection_count].theirs, event);
      }
    }};
    const double start = bench::cpu_ns();
    require(receiver.receive(uint64_t{events} * event_bytes, figures), "receive");
    figures.cpu_ns = (bench::cpu_ns() - start) / events;
    figures.wakes /= events;
    sender.join();
  }
  close_all(connections);
  return figures;
}

// --- receiving
// ------------------------------------------------------------------------------------

/// CPU for each message; one is on its way on each connection. Negative: the kernel cannot receive
/// so.
Figures measure_receive(Receive receive, size_t message_bytes, uint32_t rounds) {
  const std::vector<Connection> connections = connect_many(connection_count);
  Receiver receiver{Wait::argument, receive, connections};
  Figures figures{.cpu_ns = -1};
  std::atomic<bool> stop{false};
  const int go = eventfd(0, EFD_CLOEXEC);
  std::thread sender{[&] {
    const std::vector<char> message(message_bytes, 'm');
    uint64_t wanted = 0;
    while (read(go, &wanted, sizeof wanted) > 0 && !stop.load()) {
      for (const Connection& connection : connections) send_all(connection.theirs, message);
    }
  }};
  const auto let_send = [&] {
    const uint64_t one = 1;
    require(write(go, &one, sizeof one) == sizeof one, "write");
  };
  const auto run = [&](uint32_t count) {
    for (uint32_t round = 0; round < count && receiver.usable(); ++round) {
      let_send();
      receiver.receive(connection_count * message_bytes, figures);
    }
  };
  run(rounds / 10 + 1);
  figures = {.cpu_ns = -1};
  const double start = bench::cpu_ns();
  run(rounds);
  const double messages = static_cast<double>(rounds) * connection_count;
  if (receiver.usable()) {
    figures = {.cpu_ns = (bench::cpu_ns() - start) / messages,
               .wakes = figures.wakes / messages,
               .completions = figures.completions / messages,
               .buffers = figures.buffers / messages};
  }
  stop = true;
  for (const Connection& connection : connections)
    shutdown(connection.ours, SHUT_RDWR);  // Frees a sender that is stuck.
  let_send();
  sender.join();
  close(go);
  close_all(connections);
  return figures;
}

// --- all of it
// ------------------------------------------------------------------------------------

/// The one with the median of CPU, of each way; the ways take turns.
template <size_t Ways, typename Measure>
std::array<Figures, Ways> medians(int rounds, Measure measure) {
  std::array<std::vector<Figures>, Ways> all;
  for (int round = 0; round < rounds; ++round) {
    for (size_t way = 0; way < Ways; ++way) all[way].push_back(measure(way));
  }
  std::array<Figures, Ways> middle;
  for (size_t way = 0; way < Ways; ++way) {
    std::ranges::sort(all[way], {}, &Figures::cpu_ns);
    middle[way] = all[way][all[way].size() / 2];
  }
  return middle;
}

void compare_waits(bool smoke) {
  constexpr std::array names{"no time limit", "limit as argument (today)",
                             "limit in registered memory"};
  for (const uint32_t rate : {50U, 500U, 3000U}) {
    const uint32_t events = smoke ? 20 : std::max(rate * 2, 200U);
    const auto middle = medians<names.size()>(smoke ? 1 : 5, [&](size_t way) {
      return measure_wait(static_cast<Wait>(way), smoke ? 5000 : rate, events);
    });
    for (size_t way = 0; way < names.size(); ++way) {
      if (middle[way].cpu_ns < 0) {
        std::printf("%5u events/s  %-28s this kernel has none\n", rate, names[way]);
      } else {
        std::printf("%5u events/s  %-28s %6.1f us CPU per event, %.2f wake-ups\n", rate, names[way],
                    middle[way].cpu_ns / 1000, middle[way].wakes);
      }
    }
  }
}

void compare_receives(bool smoke) {
  constexpr std::array names{"one buffer (today)", "bundles", "buffers in parts",
                             "parts in bundles"};
  for (const size_t bytes : {160UL, 1200UL, 16'384UL, 262'144UL}) {
    const auto rounds = static_cast<uint32_t>(smoke ? 2 : std::max(20UL, 1'600'000 / bytes));
    const auto middle = medians<names.size()>(smoke ? 1 : 5, [&](size_t way) {
      return measure_receive(static_cast<Receive>(way), bytes, rounds);
    });
    for (size_t way = 0; way < names.size(); ++way) {
      if (middle[way].cpu_ns < 0) {
        std::printf("%6zu bytes  %-20s this kernel has none\n", bytes, names[way]);
      } else {
        std::printf(
            "%6zu bytes  %-20s %8.2f us CPU per message, %.2f wake-ups, %.2f completions, %.2f "
            "buffers\n",
            bytes, names[way], middle[way].cpu_ns / 1000, middle[way].wakes,
            middle[way].completions, middle[way].buffers);
      }
    }
  }
}

}  // namespace
}  // namespace ringpost

int main(int argc, char** argv) {
  const bool smoke = argc > 1 && std::string{argv[1]} == "--smoke";
  ringpost::compare_waits(smoke);
  ringpost::compare_receives(smoke);
}
