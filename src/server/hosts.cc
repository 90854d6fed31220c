#include "server/hosts.h"

#include "http/url.h"

#include <climits>

#include <cstring>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <optional>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::server {

std::string machine_name() {
  char name[HOST_NAME_MAX + 1] = {};
  if (gethostname(name, HOST_NAME_MAX) != 0) return {};
  const auto parsed = http::parse_url("https://" + std::string{name} + "/");
  const auto* url = std::get_if<http::Url>(&parsed);
  return url != nullptr ? url->host : std::string{};
}

namespace {

std::optional<io::Address> to_address(const sockaddr* from) {
  io::Address address;
  if (from != nullptr && from->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, from, sizeof in);
    std::memcpy(address.ip.data(), &in.sin_addr, sizeof in.sin_addr);
    return address;
  }
  if (from != nullptr && from->sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, from, sizeof in);
    address.family = io::Address::Family::ipv6;
    std::memcpy(address.ip.data(), &in.sin6_addr, sizeof in.sin6_addr);
    return address;
  }
  return std::nullopt;
}

/// Of all its interfaces. A container may forbid the question: then none.
std::vector<io::Address> machine_addresses() {
  std::vector<io::Address> addresses;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return addresses;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (auto address = to_address(each->ifa_addr)) addresses.push_back(*address);
  }
  freeifaddrs(first);
  return addresses;
}

}  // namespace

net::OwnAddresses::Content own_addresses(const Config& config, std::vector<io::Address> listeners) {
  return {.listeners = std::move(listeners),
          .machine = machine_addresses(),
          .public_host = config.public_host,
          .public_port = config.public_port,
          .hosts = config.hosts};
}

std::shared_ptr<const ingest::KnownHosts> known_hosts(const Config& config) {
  std::vector<std::string> names = config.hosts;
  for (const std::string& name : {config.public_host, machine_name()}) {
    if (!name.empty()) names.push_back(name);
  }
  return std::make_shared<const ingest::KnownHosts>(std::move(names), config.public_url);
}

}  // namespace ringpost::server
