#pragma once

#include "base/result.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost::io {

/// Where to listen or connect: an IP address with a port, or the path of a Unix socket.
struct Address {
  enum class Family : uint8_t { ipv4, ipv6, unix_path };

  Family family = Family::ipv4;
  uint16_t port = 0;             ///< Host order; 0 lets the kernel choose. Not for unix_path.
  std::array<uint8_t, 16> ip{};  ///< Network order; IPv4 uses the first four.
  uint32_t scope = 0;            ///< IPv6 zone index; 0 for none.
  std::string path;              ///< unix_path only; at most 107 bytes.

  /// Reads `127.0.0.1:8420`, `[::1]:8420` or `unix:/run/x.sock`. No names: those are resolved
  /// elsewhere. @returns Errc::malformed otherwise.
  static Result<Address> parse(std::string_view text);
  /// Reads an IP literal without port (`127.0.0.1`, `::1`, no brackets): strictly four decimal
  /// parts without leading zeros for IPv4, RFC 4291 for IPv6.
  static Result<Address> parse_ip(std::string_view text, uint16_t port);

  std::string to_text() const;

  friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace ringpost::io
