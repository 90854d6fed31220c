#include "io/address.h"

#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <netinet/in.h>
#include <optional>
#include <sys/un.h>

namespace ringpost::io {

namespace {

constexpr std::string_view unix_prefix = "unix:";
constexpr size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;
static_assert(path_bytes_max == 107, "address.h promises 107");

constexpr Error malformed{Errc::malformed, Side::operator_};

/// Reads all of `text` as a decimal number without sign or leading zeros.
template <typename T>
std::optional<T> parse_decimal(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  T value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

std::optional<std::array<uint8_t, 16>> parse_ipv4(std::string_view text) {
  std::array<uint8_t, 16> ip{};
  for (size_t part = 0; part < 4; ++part) {
    const size_t end = part < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    const auto value = parse_decimal<uint8_t>(text.substr(0, end));
    if (!value) return std::nullopt;
    ip[part] = *value;
    text.remove_prefix(part < 3 ? end + 1 : end);
  }
  return ip;
}

std::optional<std::array<uint8_t, 16>> parse_ipv6(std::string_view text) {
  // inet_pton reads up to a NUL: one inside the text would hide what follows it.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  char terminated[INET6_ADDRSTRLEN] = {};
  std::memcpy(terminated, text.data(), text.size());
  std::array<uint8_t, 16> ip{};
  if (inet_pton(AF_INET6, terminated, ip.data()) != 1) return std::nullopt;
  return ip;
}

Result<Address> parse_unix(std::string_view path) {
  if (path.empty() || path.size() > path_bytes_max) return malformed;
  if (path.find('\0') != std::string_view::npos) return malformed;
  Address address;
  address.family = Address::Family::unix_path;
  address.path = path;
  return address;
}

/// Reads `[::1]:8420` or `[fe80::1%2]:8420`. A zone is an interface's index: its name would ask the
/// system.
Result<Address> parse_bracketed(std::string_view text) {
  const size_t bracket = text.find("]:");
  if (bracket == std::string_view::npos) return malformed;
  std::string_view host = text.substr(1, bracket - 1);
  const auto port = parse_decimal<uint16_t>(text.substr(bracket + 2));
  if (!port) return malformed;
  uint32_t scope = 0;
  if (const size_t percent = host.find('%'); percent != std::string_view::npos) {
    const auto zone = parse_decimal<uint32_t>(host.substr(percent + 1));
    if (!zone || *zone == 0) return malformed;
    scope = *zone;
    host = host.substr(0, percent);
  }
  auto address = Address::parse_ip(host, *port);
  if (!address || address->family != Address::Family::ipv6) return malformed;
  address->scope = scope;
  return address;
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  if (text.starts_with(unix_prefix)) return parse_unix(text.substr(unix_prefix.size()));
  if (text.starts_with('[')) return parse_bracketed(text);
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return malformed;
  const auto port = parse_decimal<uint16_t>(text.substr(colon + 1));
  if (!port) return malformed;
  return parse_ip(text.substr(0, colon), *port);
}

Result<Address> Address::parse_ip(std::string_view text, uint16_t port) {
  Address address;
  address.port = port;
  if (const auto ipv4 = parse_ipv4(text)) {
    address.family = Family::ipv4;
    address.ip = *ipv4;
    return address;
  }
  if (const auto ipv6 = parse_ipv6(text)) {
    address.family = Family::ipv6;
    address.ip = *ipv6;
    return address;
  }
  return malformed;
}

std::string Address::to_text() const {
  if (family == Family::unix_path) return std::string{unix_prefix} + path;
  char host[INET6_ADDRSTRLEN];
  const int system_family = family == Family::ipv4 ? AF_INET : AF_INET6;
  RINGPOST_ASSERT(inet_ntop(system_family, ip.data(), host, sizeof host) != nullptr);
  if (family == Family::ipv4) return std::string{host} + ":" + std::to_string(port);
  const std::string zone = scope == 0 ? "" : "%" + std::to_string(scope);
  return "[" + std::string{host} + zone + "]:" + std::to_string(port);
}

}  // namespace ringpost::io
