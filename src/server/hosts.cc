#include "server/hosts.h"

#include "http/url.h"

#include <climits>

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

std::shared_ptr<const ingest::KnownHosts> known_hosts(const Config& config) {
  std::vector<std::string> names = config.hosts;
  for (const std::string& name : {config.public_host, machine_name()}) {
    if (!name.empty()) names.push_back(name);
  }
  return std::make_shared<const ingest::KnownHosts>(std::move(names), config.public_url);
}

}  // namespace ringpost::server
