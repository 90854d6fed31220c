#include "io/listener.h"

#include "io/socket_address.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sstream>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ringpost::io {

namespace {

/// A descriptor that is closed unless it is released.
class Descriptor {
 public:
  explicit Descriptor(int handle) : handle_(handle) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (handle_ >= 0) ::close(handle_);
  }
  int get() const { return handle_; }
  int release() { return std::exchange(handle_, -1); }

 private:
  int handle_;
};

bool same_path(const std::string& left, const std::string& right) {
  return std::filesystem::path{left}.lexically_normal() ==
         std::filesystem::path{right}.lexically_normal();
}

Error listen_error(int errno_value) {
  switch (errno_value) {
    case EADDRINUSE: return {Errc::conflict, Side::operator_, errno_value};
    case EACCES:
    case EPERM: return {Errc::not_permitted, Side::operator_, errno_value};
    default: return error_from_errno(errno_value, Side::operator_);
  }
}

Result<void> set_option(int socket, int level, int option) {
  const int on = 1;
  if (setsockopt(socket, level, option, &on, sizeof on) != 0) return listen_error(errno);
  return {};
}

/// Fails if a socket of any process listens at `address`, even one that would share the port.
Result<void> probe_ip(const SocketAddress& to) {
  Descriptor probe{::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (probe.get() < 0) return listen_error(errno);
  // Connections of a process that is gone do not hold the address.
  if (auto set = set_option(probe.get(), SOL_SOCKET, SO_REUSEADDR); !set) return set.error();
  if (to.family() == AF_INET6) {
    if (auto set = set_option(probe.get(), IPPROTO_IPV6, IPV6_V6ONLY); !set) return set.error();
  }
  if (bind(probe.get(), to.data(), to.size) != 0) return listen_error(errno);
  return {};
}

Result<Socket> listen_at_ip(const Address& address, const ListenOptions& options) {
  const SocketAddress to{address};
  if (options.must_be_free && address.port != 0) {
    if (auto free = probe_ip(to); !free) return free.error();
  }
  Descriptor socket{::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (socket.get() < 0) return listen_error(errno);
  if (auto set = set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR); !set) return set.error();
  if (options.reuse_port) {
    if (auto set = set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT); !set) return set.error();
  }
  if (address.family == Address::Family::ipv6) {
    // `[::]:80` and `0.0.0.0:80` are two addresses, whatever the system's default is.
    if (auto set = set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY); !set) return set.error();
  }
  if (auto set = set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY); !set) return set.error();
  if (bind(socket.get(), to.data(), to.size) != 0) return listen_error(errno);
  if (::listen(socket.get(), static_cast<int>(options.backlog)) != 0) return listen_error(errno);
  return Socket{socket.release()};
}

/// Whether somebody would take a connection at `to`. Anything but a clear refusal counts as alive:
/// a full backlog (EAGAIN), another socket type (EPROTOTYPE), a socket that we may not touch.
bool unix_listener_alive(const SocketAddress& to) {
  Descriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (probe.get() < 0) return true;
  if (connect(probe.get(), to.data(), to.size) == 0) return true;
  return errno != ECONNREFUSED && errno != ENOENT;
}

/// Whether a socket of some process has this name, be it that nobody listens on it yet: a refused
/// connection tells a name that a dead process left as little as one that was bound a moment ago.
/// The system's list has the names as they were bound; a relative one may be anywhere.
bool unix_path_bound(const std::string& path) {
  std::ifstream sockets("/proc/net/unix");
  const std::string_view file = std::string_view{path}.substr(path.rfind('/') + 1);
  std::string line;
  while (std::getline(sockets, line)) {
    // `Num RefCount Protocol Flags Type St Inode Path`; without a name, or with one in no directory
    // (`@…`), it is none of ours.
    std::istringstream columns(line);
    std::string skipped;
    for (int column = 0; column < 7; ++column) columns >> skipped;
    std::string name;
    std::getline(columns >> std::ws, name);
    if (name.empty() || name.front() == '@') continue;
    const bool absolute = name.front() == '/';
    const std::string_view bound_file = std::string_view{name}.substr(name.rfind('/') + 1);
    if (absolute ? same_path(name, path) : bound_file == file) return true;
  }
  return false;
}

Result<void> check_path(const std::string& path) {
  struct stat status;
  if (lstat(path.c_str(), &status) == 0) {
    if (S_ISSOCK(status.st_mode)) return {};
    return Error{Errc::conflict, Side::operator_, EEXIST};
  }
  if (errno != ENOENT) return listen_error(errno);
  const std::filesystem::path directory = std::filesystem::path{path}.parent_path();
  if (stat(directory.empty() ? "." : directory.c_str(), &status) != 0) return listen_error(errno);
  if (!S_ISDIR(status.st_mode)) return listen_error(ENOTDIR);
  return {};
}

/// Makes way for a new socket at `path`: removes what a dead process left, and nothing else.
Result<void> clear_unix_path(const std::string& path, const SocketAddress& to) {
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return listen_error(errno);
  }
  if (!S_ISSOCK(status.st_mode)) return Error{Errc::conflict, Side::operator_, EEXIST};
  if (unix_listener_alive(to) || unix_path_bound(path)) return listen_error(EADDRINUSE);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return listen_error(errno);
  return {};
}

Result<Socket> listen_at_path(const Address& address, const ListenOptions& options) {
  const SocketAddress to{address};
  if (auto cleared = clear_unix_path(address.path, to); !cleared) return cleared.error();
  Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (socket.get() < 0) return listen_error(errno);
  // The file gets the mode of the socket's own inode, less the umask: never wider than asked, not
  // for a moment, and without touching the umask of other threads. chmod then adds what the umask
  // took; nobody can connect before listen.
  if (fchmod(socket.get(), options.unix_mode) != 0) return listen_error(errno);
  if (bind(socket.get(), to.data(), to.size) != 0) return listen_error(errno);
  if (chmod(address.path.c_str(), options.unix_mode) != 0 ||
      ::listen(socket.get(), static_cast<int>(options.backlog)) != 0) {
    const Error error = listen_error(errno);
    unlink(address.path.c_str());
    return error;
  }
  return Socket{socket.release()};
}

struct Adopted {
  Address address;
  int socket;
};

/// Written before the first ring, then only read.
std::vector<Adopted>& adopted() {
  static std::vector<Adopted> sockets;
  return sockets;
}

const Adopted* find_adopted(const Address& address) {
  const auto found = std::ranges::find_if(
      adopted(), [&](const Adopted& each) { return same_address(each.address, address); });
  return found == adopted().end() ? nullptr : &*found;
}

/// Whether connections can be accepted from it.
bool listens(int socket) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &value, &size) != 0) return false;
  if (value != SOCK_STREAM) return false;
  return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

Result<Socket> duplicate(int socket) {
  const int copy = fcntl(socket, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return listen_error(errno);
  return Socket{copy};
}

}  // namespace

Result<Address> adopt_listener(int socket) {
  if (!listens(socket)) return Error{Errc::unsupported, Side::operator_, ENOTSOCK};
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  if (getsockname(socket, bound.data(), &bound.size) != 0) return listen_error(errno);
  const auto address = bound.to_address();
  if (!address) return address.error();
  if (is_adopted(*address)) return Error{Errc::conflict, Side::operator_, EEXIST};
  // As our own listeners are: nobody waits in an accept, and sockets inherit TCP_NODELAY.
  if (fcntl(socket, F_SETFD, FD_CLOEXEC) != 0) return listen_error(errno);
  if (fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) & ~O_NONBLOCK) != 0) return listen_error(errno);
  if (address->family != Address::Family::unix_path) {
    if (auto set = set_option(socket, IPPROTO_TCP, TCP_NODELAY); !set) return set.error();
  }
  adopted().push_back({*address, socket});
  return *address;
}

bool is_adopted(const Address& address) {
  return find_adopted(address) != nullptr;
}

Result<Socket> open_listener(const Address& address, const ListenOptions& options) {
  if (const Adopted* const passed = find_adopted(address)) return duplicate(passed->socket);
  if (address.family == Address::Family::unix_path) return listen_at_path(address, options);
  return listen_at_ip(address, options);
}

Result<void> check_address(const Address& address) {
  auto checked = address.family == Address::Family::unix_path ? check_path(address.path)
                                                              : probe_ip(SocketAddress{address});
  if (checked) return {};
  const Error error = checked.error();
  const bool passing = error.detail == EADDRINUSE || error.code == Errc::not_permitted;
  return passing ? Result<void>{} : Result<void>{error};
}

bool same_address(const Address& one, const Address& other) {
  const bool paths = one.family == Address::Family::unix_path && one.family == other.family;
  return paths ? same_path(one.path, other.path) : one == other;
}

bool collide(const Address& one, const Address& other) {
  if (one.family != other.family) return false;  // `[::]` takes no IPv4 here: listen_at_ip.
  if (one.family == Address::Family::unix_path) return same_path(one.path, other.path);
  if (one.port != other.port || one.port == 0) return false;
  const auto all = [](const Address& address) {
    return std::ranges::all_of(address.ip, [](uint8_t byte) { return byte == 0; });
  };
  return one.ip == other.ip || all(one) || all(other);
}

std::string explain_listen_failure(const Address& address, const Error& error) {
  const auto why = [&]() -> std::string {
    switch (error.detail) {
      case EADDRINUSE:
        return "another process listens there; stop it, or choose another address with --listen";
      case EEXIST:
        return "a file that is not a socket is in the way (it was not removed); choose another "
               "path with "
               "--listen";
      case EADDRNOTAVAIL: return "this machine has no such address; choose another with --listen";
      case ENOENT: return "its directory does not exist; make it first";
      case EACCES:
      case EPERM: return "not permitted; ports below 1024 and some paths need more rights";
      default: return describe(error);
    }
  };
  return "cannot listen at " + address.to_text() + ": " + why();
}

}  // namespace ringpost::io
