#include "io/system.h"

#include "io/listener.h"
#include "io/socket_address.h"

#include <cerrno>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>

namespace ringpost::io {

int64_t read_clock_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

namespace {

uint64_t system_seed() {
  uint64_t seed = 0;
  // Early in the boot of a machine there may be none; jitter does not need it to be good.
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
    seed = static_cast<uint64_t>(read_clock_ns(CLOCK_REALTIME));
  }
  return seed;
}

}  // namespace

SystemRing::SystemRing() : random_(system_seed()) {}

Result<Socket> SystemRing::listen(const Address& address, const ListenOptions& options) {
  return open_listener(address, options);
}

Result<Address> SystemRing::local_address(Socket socket) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getsockname(socket.handle, address.data(), &address.size) != 0) {
    return error_from_errno(errno, Side::self);
  }
  return address.to_address();
}

Result<Address> SystemRing::peer_address(Socket socket) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (getpeername(socket.handle, address.data(), &address.size) != 0) {
    return error_from_errno(errno, Side::self);
  }
  auto peer = address.to_address();
  if (peer && peer->family == Address::Family::unix_path) peer->path.clear();
  return peer;
}

void SystemRing::shutdown_send(Socket socket) {
  // An error means that the stream has ended already, which the pending receive reports.
  ::shutdown(socket.handle, SHUT_WR);
}

uint64_t SystemRing::unacknowledged_bytes(Socket socket) {
  int bytes = 0;
  return ioctl(socket.handle, SIOCOUTQ, &bytes) == 0 ? static_cast<uint64_t>(bytes) : 0;
}

int32_t open_socket_to(const Address& to, int flags) {
  const int descriptor =
      ::socket(SocketAddress{to}.family(), SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (descriptor < 0) return -errno;
  if (to.family != Address::Family::unix_path) {
    const int on = 1;  // Cannot fail on a TCP socket, and would cost only latency.
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return descriptor;
}

bool concerns_one_connection(int errno_value) {
  switch (errno_value) {
    case ECONNABORTED:
    case EINTR:
    case EAGAIN:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM: return true;
    default: return false;
  }
}

bool is_shortage(int errno_value) {
  return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS ||
         errno_value == ENOMEM;
}

}  // namespace ringpost::io
