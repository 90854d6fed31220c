#pragma once

#include "io/address.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::net {

/// Where this relay itself can be reached: its listeners, and the name that it is known by. A
/// delivery that led there would come in again as an event, without end.
///
/// Thread safety: any thread.
class OwnAddresses {
 public:
  struct Content {
    /// Bound addresses. One that is unspecified (0.0.0.0, ::) means all of `machine`; those of
    /// Unix sockets are left out.
    std::vector<io::Address> listeners;
    std::vector<io::Address> machine;  ///< Of this machine's interfaces; ports do not matter.
    std::string public_host;           ///< Lower case; empty: none.
    uint16_t public_port = 0;
    std::vector<std::string> hosts;  ///< Other names, in lower case.
  };
  void set(Content content);

  /// Whether a connection to `address` (no IPv4 address in an IPv6 form) reaches a listener.
  bool contain(const io::Address& address) const;
  /// Whether these are the public host and port, or one of the other names at a port where the
  /// relay may be met by it: the usual ones (a proxy's), the public one, a listener's.
  bool named(std::string_view host, uint16_t port) const;

 private:
  bool of_this_machine(const io::Address& address) const;
  bool may_listen(uint16_t port) const;

  mutable std::mutex mutex_;
  Content content_;  // Guarded by mutex_.
};

}  // namespace ringpost::net
