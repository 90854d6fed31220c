#include "ingest/known_hosts.h"

#include "http/host.h"
#include "http/syntax.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace ringpost::ingest {
namespace {

constexpr size_t quoted_bytes_max = 256;

std::vector<std::string> in_lower_case(std::vector<std::string> names) {
  for (std::string& name : names) std::ranges::transform(name, name.begin(), http::to_lower);
  return names;
}

/// The host of a Host header's value, without a port and without the dot of a name from the root.
std::string_view without_port(std::string_view host) {
  const size_t from = host.starts_with('[') ? std::min(host.find(']'), host.size()) : 0;
  host = host.substr(0, host.find(':', from));
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool changes_something(std::string_view method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

/// Whether the site that an Origin header names is where the request went.
bool is_own(std::string_view origin, std::string_view host, std::string_view public_url, bool tls) {
  if (!public_url.empty() && http::equal_ignoring_case(origin, public_url)) return true;
  const size_t end = origin.find("://");
  if (end == std::string_view::npos) return false;
  const std::string_view scheme = origin.substr(0, end);
  const bool fits = http::equal_ignoring_case(scheme, "https") ||
                    (!tls && http::equal_ignoring_case(scheme, "http"));
  return fits && http::equal_ignoring_case(origin.substr(end + 3), host);
}

}  // namespace

KnownHosts::KnownHosts(std::vector<std::string> names, std::string public_url)
    : names_(in_lower_case(std::move(names))), public_url_(std::move(public_url)) {}

bool KnownHosts::accept(std::string_view host) const {
  if (host.empty()) return true;
  const auto parsed = http::parse_host(without_port(host));
  const auto* read = std::get_if<http::Host>(&parsed);
  if (read == nullptr) return false;
  return read->kind != http::Url::HostKind::name || read->text == "localhost" ||
         std::ranges::find(names_, read->text) != names_.end();
}

http::Problem unknown_host(std::string_view host) {
  return {.status = 421,
          .type = "urn:ringpost:unknown-host",
          .title = "",
          .detail = "Unknown host \"" + std::string{host.substr(0, quoted_bytes_max)} +
                    "\": add it to server.hosts in the relay's configuration, or use the relay's "
                    "IP address.",
          .line = {},
          .member = "Host"};
}

std::optional<http::Problem> object_to_site(const http::Request& head, std::string_view public_url,
                                            bool tls) {
  if (!changes_something(head.method)) return std::nullopt;
  std::string_view host;
  std::string_view site;
  const std::string* origin = nullptr;
  for (const http::Header& header : head.headers) {
    if (http::equal_ignoring_case(header.name, "Host")) host = header.value;
    if (http::equal_ignoring_case(header.name, "Origin")) origin = &header.value;
    if (http::equal_ignoring_case(header.name, "Sec-Fetch-Site")) site = header.value;
  }
  const bool foreign =
      origin != nullptr ? !is_own(*origin, host, public_url, tls) : site == "cross-site";
  if (!foreign) return std::nullopt;
  return http::Problem{
      .status = 403,
      .type = "urn:ringpost:foreign-site",
      .title = "",
      .detail =
          "Cross-site request blocked" +
          (origin != nullptr ? " (Origin: " + origin->substr(0, quoted_bytes_max) + ")" : "") +
          ": web pages of other sites cannot change anything here.",
      .line = {},
      .member = origin != nullptr ? "Origin" : "Sec-Fetch-Site"};
}

}  // namespace ringpost::ingest
