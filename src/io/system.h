#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "base/result.h"
#include "io/address.h"
#include "io/ring.h"

#include <cstdint>
#include <time.h>

/// What the two rings over a real kernel have in common: clocks, sockets, and what errors mean.
namespace ringpost::io {

/// In nanoseconds, as clock_gettime.
int64_t read_clock_ns(clockid_t clock);

inline Instant read_monotonic() {
  return Instant{Duration{read_clock_ns(CLOCK_MONOTONIC)}};
}
inline WallTime read_wall_time() {
  return WallTime{Duration{read_clock_ns(CLOCK_REALTIME)}};
}

/// What a ring over a real kernel does by ordinary system calls, whatever its engine.
class SystemRing : public Ring {
 public:
  SystemRing();

  Prng& random() final { return random_; }
  Result<Socket> listen(const Address& address, const ListenOptions& options) final;
  Result<Address> local_address(Socket socket) final;
  Result<Address> peer_address(Socket socket) final;
  void shutdown_send(Socket socket) final;
  uint64_t unacknowledged_bytes(Socket socket) final;

 private:
  Prng random_;
};

/// For Ring::connect: a socket for a connection to such an address, with TCP_NODELAY.
/// @param flags  of socket(2), besides SOCK_CLOEXEC.
/// @returns its descriptor, or minus an errno.
int32_t open_socket_to(const Address& to, int flags);

/// accept(2): errors of the connection that was waiting, not of the listener. It is gone from the
/// queue, so the next try makes progress.
bool concerns_one_connection(int errno_value);

/// Of descriptors or of the kernel's memory: it may pass.
bool is_shortage(int errno_value);

/// How long an accept waits that found no descriptor or memory. Trying at once would find none
/// again, as the connection stays in the backlog.
inline constexpr Duration shortage_pause = std::chrono::milliseconds{100};

}  // namespace ringpost::io
