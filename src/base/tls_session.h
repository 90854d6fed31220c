#pragma once

#include <cstdint>

namespace ringpost {

/// What a TLS handshake agreed on, in the numbers that IANA registers. `net/tls.h` names them.
struct TlsSession {
  uint16_t version = 0;  ///< 0x0304 is TLS 1.3; 0: no TLS, or no handshake yet.
  uint16_t cipher = 0;
  uint16_t group = 0;  ///< Of the key exchange; 0 where there was none (TLS 1.2 resumed).
  bool resumed = false;

  explicit operator bool() const { return version != 0; }
  bool operator==(const TlsSession&) const = default;
};

}  // namespace ringpost
