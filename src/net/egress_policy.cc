#include "net/egress_policy.h"

#include "base/assert.h"
#include "http/syntax.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

namespace ringpost::net {
namespace {

using Family = io::Address::Family;

constexpr Network ipv4(uint8_t a, uint8_t b, uint8_t c, uint32_t bits) {
  return {.family = Family::ipv4, .ip = {a, b, c}, .bits = bits};
}
constexpr Network ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint32_t bits) {
  return {.family = Family::ipv4, .ip = {a, b, c, d}, .bits = bits};
}

constexpr Network ipv6(std::array<uint16_t, 8> groups, uint32_t bits) {
  Network network{.family = Family::ipv6, .bits = bits};
  for (size_t i = 0; i < groups.size(); ++i) {
    network.ip[2 * i] = static_cast<uint8_t>(groups[i] >> 8);
    network.ip[2 * i + 1] = static_cast<uint8_t>(groups[i]);
  }
  return network;
}

/// IANA IPv4 Special-Purpose Address Registry, what is not globally reachable, and multicast.
constexpr Network special_ipv4[] = {
    ipv4(0, 0, 0, 8),        // "This network"; 0.0.0.0 reaches this host.
    ipv4(10, 0, 0, 8),       // Private use (RFC 1918).
    ipv4(100, 64, 0, 10),    // Shared address space of carriers (RFC 6598).
    ipv4(127, 0, 0, 8),      // Loopback.
    ipv4(169, 254, 0, 16),   // Link-local: clouds answer with credentials there.
    ipv4(172, 16, 0, 12),    // Private use.
    ipv4(192, 0, 0, 24),     // IETF protocol assignments.
    ipv4(192, 0, 2, 24),     // Documentation.
    ipv4(192, 88, 99, 24),   // 6to4 relays (deprecated, RFC 7526).
    ipv4(192, 168, 0, 16),   // Private use.
    ipv4(198, 18, 0, 15),    // Benchmarking.
    ipv4(198, 51, 100, 24),  // Documentation.
    ipv4(203, 0, 113, 24),   // Documentation.
    ipv4(224, 0, 0, 4),      // Multicast.
    ipv4(240, 0, 0, 4),      // Reserved, and the broadcast address.
};

/// Where a machine in a cloud reaches its provider's own interfaces, which hand out credentials and
/// certificates. From the providers' documentation, November 2026. Half of them lie in networks
/// that look like any other, and none is opened by a network that an operator allows for other
/// reasons.
constexpr Network provider_interfaces[] = {
    ipv4(169, 254, 169, 254,
         32),  // AWS, Google, Azure, Oracle, DigitalOcean, OpenStack and others.
    ipv4(169, 254, 169, 123, 32),  // AWS: time.
    ipv4(169, 254, 169, 253, 32),  // AWS: names.
    ipv4(169, 254, 170, 2, 32),    // AWS: credentials of containers (ECS).
    ipv4(169, 254, 170, 23, 32),   // AWS: credentials of pods (EKS).
    ipv4(169, 254, 0, 23, 32),     // Tencent.
    ipv4(169, 254, 42, 42, 32),    // Scaleway.
    ipv4(168, 63, 129, 16, 32),    // Azure: the agent's interface, outside of IANA's list.
    ipv4(100, 100, 100, 200, 32),  // Alibaba, in the carriers' shared space.
    ipv4(192, 0, 0, 192, 32),      // Oracle, Classic.
    ipv6({0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254}, 128),    // AWS.
    ipv6({0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23}, 128),     // AWS: credentials of pods (EKS).
    ipv6({0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x253}, 128),    // AWS: names.
    ipv6({0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x123}, 128),    // AWS: time.
    ipv6({0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254}, 128),     // Google.
    ipv6({0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42}, 128),      // Scaleway.
    ipv6({0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe}, 128),  // OpenStack.
};

/// Of IPv6, only this is handed out to networks. All the rest is denied without being listed:
/// loopback, unspecified, IPv4-compatible, unique local, link-local, multicast, NAT64's local
/// prefix.
constexpr Network global_ipv6 = ipv6({0x2000}, 3);

constexpr Network special_ipv6[] = {
    ipv6({0x2001}, 23),         // IETF protocol assignments: Teredo, benchmarking, ORCHID.
    ipv6({0x2001, 0xdb8}, 32),  // Documentation.
    ipv6({0x2002}, 16),         // 6to4: wraps any IPv4 address.
    ipv6({0x3fff}, 20),         // Documentation.
};

/// The prefixes whose last 32 bits are the IPv4 address that is really connected to.
constexpr Network ipv4_mapped = ipv6({0, 0, 0, 0, 0, 0xffff}, 96);
constexpr Network nat64 = ipv6({0x64, 0xff9b}, 96);

bool any_contains(std::span<const Network> networks, const io::Address& address) {
  return std::ranges::any_of(networks,
                             [&](const Network& network) { return network.contains(address); });
}

/// NAT64's local prefix (RFC 8215). Denied by default; where an operator opens it, the address that
/// it carries is judged as well.
constexpr Network nat64_local = ipv6({0x64, 0xff9b, 1}, 48);

/// Whether an entry is this one address and no network around it.
bool any_names(std::span<const Network> networks, const io::Address& address) {
  return std::ranges::any_of(networks, [&](const Network& network) {
    return network.bits == (network.family == Family::ipv4 ? 32 : 128) && network.contains(address);
  });
}

io::Address last_32_bits(const io::Address& address) {
  io::Address inner;
  inner.port = address.port;
  std::copy(address.ip.end() - 4, address.ip.end(), inner.ip.begin());
  return inner;
}

/// The address as the network will see it.
io::Address unwrapped(const io::Address& address) {
  const bool wraps = ipv4_mapped.contains(address) || nat64.contains(address);
  return wraps ? last_32_bits(address) : address;
}

bool globally_reachable(const io::Address& address) {
  if (address.family == Family::ipv4) return !any_contains(special_ipv4, address);
  return global_ipv6.contains(address) && !any_contains(special_ipv6, address);
}

/// `127.1`, `2130706433`, `0x7f.1`: no names, yet some resolvers read them as addresses. The URL
/// standard's rule ("ends in a number") decides by the last label.
bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  const bool digits =
      std::ranges::all_of(last, [](unsigned char c) { return std::isdigit(c) != 0; });
  if (digits) return true;
  return last.size() >= 2 && last[0] == '0' && (last[1] | 0x20) == 'x' &&
         std::ranges::all_of(last.substr(2), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::optional<uint32_t> parse_bits(std::string_view text, uint32_t bits_max) {
  uint32_t bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  const bool leading_zero = text.size() > 1 && text[0] == '0';
  if (!whole || leading_zero || bits > bits_max) return std::nullopt;
  return bits;
}

bool bits_after_prefix(const Network& network, uint32_t bits_max) {
  for (uint32_t bit = network.bits; bit < bits_max; ++bit) {
    if ((network.ip[bit / 8] >> (7 - bit % 8) & 1) != 0) return true;
  }
  return false;
}

Result<std::vector<Network>> parse_all(const std::vector<std::string>& texts, const char* list,
                                       std::string& why) {
  std::vector<Network> networks;
  for (const std::string& text : texts) {
    auto network = Network::parse(text, why);
    if (!network) {
      why = std::string{list} + ": " + why;
      return network.error();
    }
    networks.push_back(*network);
  }
  return networks;
}

}  // namespace

bool names_this_host(std::string_view host) {
  constexpr std::string_view local = "localhost";
  if (http::equal_ignoring_case(host, local)) return true;
  return host.size() > local.size() && host[host.size() - local.size() - 1] == '.' &&
         http::equal_ignoring_case(host.substr(host.size() - local.size()), local);
}

Result<Network> Network::parse(std::string_view text, std::string& why) {
  const auto fault = [&](const std::string& what) {
    why = "\"" + std::string{text} + "\": " + what;
    return Error{Errc::malformed, Side::operator_};
  };
  const size_t slash = text.find('/');
  const auto address = io::Address::parse_ip(text.substr(0, slash), 0);
  if (!address || address->scope != 0) {
    return fault("not an IP address or network, like 10.0.0.0/8 or fd00::/8");
  }
  const bool is_ipv4 = address->family == Family::ipv4;
  const uint32_t bits_max = is_ipv4 ? 32 : 128;
  Network network{.family = address->family, .ip = address->ip, .bits = bits_max};
  if (slash != std::string_view::npos) {
    const auto bits = parse_bits(text.substr(slash + 1), bits_max);
    if (!bits) return fault("the prefix length must be 0 to " + std::to_string(bits_max));
    network.bits = *bits;
  }
  if (bits_after_prefix(network, bits_max)) {
    return fault("has bits set after the first " + std::to_string(network.bits));
  }
  return network;
}

bool Network::contains(const io::Address& address) const {
  if (address.family != family) return false;
  const size_t whole = bits / 8;
  if (std::memcmp(address.ip.data(), ip.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - bits % 8));
  return (address.ip[whole] & mask) == ip[whole];
}

Result<EgressPolicy> EgressPolicy::create(const Options& options, std::string& why) {
  auto allow = parse_all(options.allow_networks, "allow_networks", why);
  if (!allow) return allow.error();
  auto deny = parse_all(options.deny_networks, "deny_networks", why);
  if (!deny) return deny.error();
  auto plain = parse_all(options.allow_plain_http_networks, "allow_plain_http_networks", why);
  if (!plain) return plain.error();
  EgressPolicy policy;
  policy.allow_ = std::move(allow).value();
  policy.deny_ = std::move(deny).value();
  policy.plain_http_ = std::move(plain).value();
  policy.ports_ = options.allow_ports;
  policy.own_ = options.own;
  return policy;
}

bool EgressPolicy::allows_port(uint16_t port) const {
  if (port == 0) return false;
  return std::ranges::find(denied_ports, port) == denied_ports.end() ||
         std::ranges::find(ports_, port) != ports_.end();
}

std::string_view describe(Denial denial) {
  switch (denial) {
    case Denial::port: return "has a port that deliveries may not use";
    case Denial::denied_network: return "is in a network of delivery.deny_networks";
    case Denial::plain_http: return "gets https only";
    case Denial::own_address: return "is the relay's own listener";
    case Denial::provider_interface: return "hands out a cloud's credentials";
    case Denial::special_network: return "is in a private, loopback or other special network";
  }
  RINGPOST_UNREACHABLE();
}

std::string_view remedy_of(Denial denial) {
  switch (denial) {
    case Denial::port: return "let the receiver listen on another port";
    case Denial::denied_network: return "take the network out of delivery.deny_networks";
    case Denial::plain_http: return "use https, or add the network to delivery.plain_http_networks";
    case Denial::own_address: return "set delivery.allow_own_addresses";
    case Denial::provider_interface: return "add this one address to delivery.allow_networks";
    case Denial::special_network: return "add the network to delivery.allow_networks";
  }
  RINGPOST_UNREACHABLE();
}

std::optional<Denial> EgressPolicy::denial_of(const io::Address& address, bool tls) const {
  if (address.family == Family::unix_path) return Denial::special_network;
  if (!allows_port(address.port)) return Denial::port;
  const io::Address inner = unwrapped(address);
  // Lists may name either form: what is denied in one is denied in the other.
  if (any_contains(deny_, address) || any_contains(deny_, inner)) return Denial::denied_network;
  if (own_ != nullptr && own_->contain(inner)) return Denial::own_address;
  if (nat64_local.contains(address)) {
    const io::Address carried = last_32_bits(address);
    if (any_contains(deny_, carried)) return Denial::denied_network;
    if (const auto denial = closed(carried)) return denial;
  }
  if (const auto denial = closed(inner)) return denial;
  if (!tls && !any_contains(plain_http_, inner)) return Denial::plain_http;
  return std::nullopt;
}

std::optional<Denial> EgressPolicy::closed(const io::Address& address) const {
  if (any_contains(provider_interfaces, address)) {
    return any_names(allow_, address) ? std::nullopt : std::optional{Denial::provider_interface};
  }
  const bool is_open = globally_reachable(address) || any_contains(allow_, address);
  return is_open ? std::nullopt : std::optional{Denial::special_network};
}

bool EgressPolicy::leads_back(std::string_view host, uint16_t port) const {
  if (own_ == nullptr) return false;
  if (host.ends_with('.')) host.remove_suffix(1);
  if (own_->named(host, port)) return true;
  const auto address = io::Address::parse_ip(host, port);
  if (address) return own_->contain(unwrapped(*address));
  return names_this_host(host) && own_->contain({.port = port, .ip = {127, 0, 0, 1}});
}

bool EgressPolicy::allows_host(std::string_view host, uint16_t port, bool tls) const {
  if (!allows_port(port)) return false;
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || leads_back(host, port)) return false;
  if (const auto address = io::Address::parse_ip(host, port)) return allows(*address, tls);
  if (names_this_host(host)) {
    return allows(io::Address{.port = port, .ip = {127, 0, 0, 1}}, tls);
  }
  if (ends_in_number(host)) return false;
  return tls || !plain_http_.empty();
}

}  // namespace ringpost::net
