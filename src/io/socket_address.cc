#include "io/socket_address.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <sys/un.h>

namespace ringpost::io {

namespace {

template <typename T>
T copy_as(const sockaddr_storage& storage) {
  T copy;
  static_assert(sizeof copy <= sizeof storage);
  std::memcpy(&copy, &storage, sizeof copy);
  return copy;
}

Address from_unix(const sockaddr_un& from, socklen_t size) {
  Address address;
  address.family = Address::Family::unix_path;
  // An unnamed peer has no path bytes at all, and the last NUL may be missing.
  if (size > offsetof(sockaddr_un, sun_path)) {
    address.path.assign(from.sun_path, strnlen(from.sun_path, sizeof from.sun_path));
  }
  return address;
}

}  // namespace

SocketAddress::SocketAddress(const Address& address) {
  switch (address.family) {
    case Address::Family::ipv4: {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(address.port);
      std::memcpy(&to.sin_addr, address.ip.data(), sizeof to.sin_addr);
      std::memcpy(&storage, &to, size = sizeof to);
      return;
    }
    case Address::Family::ipv6: {
      sockaddr_in6 to{};
      to.sin6_family = AF_INET6;
      to.sin6_port = htons(address.port);
      to.sin6_scope_id = address.scope;
      std::memcpy(&to.sin6_addr, address.ip.data(), sizeof to.sin6_addr);
      std::memcpy(&storage, &to, size = sizeof to);
      return;
    }
    case Address::Family::unix_path: {
      sockaddr_un to{};
      to.sun_family = AF_UNIX;
      RINGPOST_ASSERT(!address.path.empty());
      RINGPOST_ASSERT(address.path.size() < sizeof to.sun_path);
      std::memcpy(to.sun_path, address.path.data(), address.path.size());
      std::memcpy(&storage, &to, size = sizeof to);
      return;
    }
  }
  RINGPOST_UNREACHABLE();
}

Result<Address> SocketAddress::to_address() const {
  Address address;
  switch (family()) {
    case AF_INET: {
      const auto from = copy_as<sockaddr_in>(storage);
      address.family = Address::Family::ipv4;
      address.port = ntohs(from.sin_port);
      std::memcpy(address.ip.data(), &from.sin_addr, sizeof from.sin_addr);
      return address;
    }
    case AF_INET6: {
      const auto from = copy_as<sockaddr_in6>(storage);
      address.family = Address::Family::ipv6;
      address.port = ntohs(from.sin6_port);
      address.scope = from.sin6_scope_id;
      std::memcpy(address.ip.data(), &from.sin6_addr, sizeof from.sin6_addr);
      return address;
    }
    case AF_UNIX: return from_unix(copy_as<sockaddr_un>(storage), size);
    default: return Error{Errc::unsupported, Side::self};
  }
}

}  // namespace ringpost::io
