#pragma once

#include "io/address.h"

#include <sys/socket.h>

namespace ringpost::io {

/// An Address in the kernel's form.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  SocketAddress() = default;
  explicit SocketAddress(const Address& address);

  sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }

  /// What getsockname and its like wrote; families we do not know are Errc::unsupported.
  Result<Address> to_address() const;
};

}  // namespace ringpost::io
