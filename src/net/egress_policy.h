#pragma once

#include "base/result.h"
#include "io/address.h"
#include "net/own_addresses.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::net {

/// Whether it is `localhost`, or ends in `.localhost`: names of this host (RFC 6761, 6.3), whatever
/// a name server or a file says about them.
bool names_this_host(std::string_view host);

/// The addresses that share the first `bits` bits of `ip` (CIDR).
struct Network {
  io::Address::Family family = io::Address::Family::ipv4;
  std::array<uint8_t, 16> ip{};  ///< IPv4 uses the first four; bits after the prefix are zero.
  uint32_t bits = 0;

  /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address. Strict: no bits after the prefix, no
  /// leading zeros, no zone. @param why  on failure, what is wrong, in words for a config file.
  static Result<Network> parse(std::string_view text, std::string& why);

  bool contains(const io::Address& address) const;
};

/// Why a connection may not be opened.
enum class Denial : uint8_t {
  port,                ///< Of a protocol that acts on text someone else wrote, or 0.
  denied_network,      ///< The operator's list.
  plain_http,          ///< To a network where it is not allowed.
  own_address,         ///< The relay's own listener.
  provider_interface,  ///< Gives a cloud's credentials to whoever asks.
  special_network,     ///< Private, loopback, link-local and the like.
};
/// Part of a sentence about an address: "is in a network of delivery.deny_networks".
std::string_view describe(Denial denial);
/// What an operator does who means it.
std::string_view remedy_of(Denial denial);

/// Which destinations the relay may connect to: the wall against server-side request forgery.
///
/// Judged on the address that is about to be connected to, at every connect; a name that was
/// harmless yesterday may point inside today. Without options it allows what the IANA registries
/// call globally reachable and nothing else. The interfaces of cloud providers, which give
/// credentials to whoever asks from inside, are opened only by an entry that is that one address.
///
/// Thread safety: immutable after `create`.
class EgressPolicy {
 public:
  struct Options {
    std::vector<std::string> allow_networks;  ///< Exceptions from what is denied by default.
    std::vector<std::string> deny_networks;   ///< Wins over everything.
    /// Plain http goes to these only. They do not open what `allow_networks` does not.
    std::vector<std::string> allow_plain_http_networks;
    std::vector<uint16_t> allow_ports;  ///< Exceptions from `denied_ports`.
    /// Where the relay itself listens: no destination, whatever is allowed. Null: not looked at.
    std::shared_ptr<const OwnAddresses> own;
  };

  /// Denied unless allowed: SSH and SMTP, protocols that act on text someone else wrote. Port 0 is
  /// always denied.
  static constexpr std::array<uint16_t, 2> denied_ports{22, 25};

  /// @returns Errc::malformed with the list's name, the entry and its fault in `why`.
  static Result<EgressPolicy> create(const Options& options, std::string& why);

  /// Allows what is globally reachable over TLS.
  EgressPolicy() = default;

  /// Whether a connection may be opened. IPv6 forms that carry an IPv4 address (mapped, and NAT64's
  /// well-known prefix) are judged as that address: it is where the bytes go.
  bool allows(const io::Address& address, bool tls) const { return !denial_of(address, tls); }
  /// Why not; nothing if it may.
  std::optional<Denial> denial_of(const io::Address& address, bool tls) const;

  /// Whether a webhook may be created for `host` (as parsed from its URL: a name, or an address
  /// without brackets). Says no where the answer is known already: addresses, `localhost`, numbers
  /// that some resolvers take for addresses. A name is judged again at every connect.
  bool allows_host(std::string_view host, uint16_t port, bool tls) const;

  /// Whether `host` (as for allows_host) and port are this relay's own: what it sent there would
  /// come in again. Part of `allows_host`; who connects to a name asks this beside `allows`.
  bool leads_back(std::string_view host, uint16_t port) const;

 private:
  std::optional<Denial> closed(const io::Address& address) const;
  bool allows_port(uint16_t port) const;

  std::vector<Network> allow_;
  std::vector<Network> deny_;
  std::vector<Network> plain_http_;
  std::vector<uint16_t> ports_;
  std::shared_ptr<const OwnAddresses> own_;
};

}  // namespace ringpost::net
