#include "server/config_listener.h"

#include "base/bytes.h"
#include "io/listener.h"
#include "io/read_file.h"

#include <algorithm>
#include <array>

namespace ringpost::server {
namespace {

/// Certificate and key must be readable and belong together now, not when the first client comes.
void read_tls_files(ListenerConfig& listener, const toml::source_region& where,
                    Problems& problems) {
  const auto certificate = io::read_regular_file(listener.certificate_file);
  const auto key = io::read_regular_file(listener.key_file);
  if (!certificate || !key) {
    problems.add(where, certificate ? cannot_read(listener.key_file, key.error())
                                    : cannot_read(listener.certificate_file, certificate.error()));
    return;
  }
  auto tls = net::ServerTls::create(*certificate, *key);
  if (!tls) {
    return problems.add(where, listener.certificate_file + " and " + listener.key_file +
                                   " are not a PEM certificate and the key that belongs to it");
  }
  if (!net::certificate_in_force(*certificate)) {
    return problems.add(where,
                        listener.certificate_file +
                            " is not valid now: it has expired, or is not valid yet; renew it");
  }
  listener.tls = std::move(*tls);
  listener.tls_expires_at = net::certificate_expires_at(*certificate).value_or(WallTime{});
  listener.tls_digest = crypto::sha256(as_bytes(*certificate + *key));
}

/// An IPv4 address in the form of an IPv6 one: IPv6 sockets take no IPv4 here (io/listener.cc).
bool is_mapped_ipv4(const io::Address& address) {
  constexpr std::array<uint8_t, 12> prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return address.family == io::Address::Family::ipv6 &&
         std::equal(prefix.begin(), prefix.end(), address.ip.begin());
}

struct Service {
  std::string_view name;
  bool Serves::*member;
};
constexpr std::array services = {Service{"events", &Serves::events}, Service{"api", &Serves::api},
                                 Service{"console", &Serves::console},
                                 Service{"metrics", &Serves::metrics},
                                 Service{"cloudevents", &Serves::cloudevents}};

void read_serves(const toml::table& table, Section& section, Serves& into) {
  const toml::node* serves = table.get("serves");
  if (serves == nullptr) return;
  into = {.events = false, .api = false, .metrics = false, .console = false, .cloudevents = false};
  section.texts("serves", [&](const std::string& what, const toml::node& node) {
    const auto found = std::ranges::find(services, what, &Service::name);
    if (found != services.end()) {
      into.*found->member = true;
    } else {
      section.problem(node, "serves: \"" + what +
                                "\" is unknown; known: events, api, console, metrics, cloudevents");
    }
  });
  if (into.console && !into.api) {
    section.problem(*serves,
                    "serves: \"console\" needs \"api\" beside it: the console's pages call the "
                    "API of the same listener");
  }
  if (serves->is_array() && serves->as_array()->empty()) {
    section.problem(
        *serves,
        "serves must name some of events, api, console, metrics and cloudevents; to serve nothing, "
        "remove the [[listener]]");
  }
}

}  // namespace

std::string object_to_listener(const io::Address& address,
                               const std::vector<ListenerConfig>& before) {
  if (is_mapped_ipv4(address)) return "write an IPv4 address as one, as in 127.0.0.1:8420";
  const auto found = std::ranges::find_if(
      before, [&](const ListenerConfig& other) { return io::collide(other.address, address); });
  if (found == before.end()) return {};
  if (found->address == address) return "another listener has this address, too";
  return "it cannot be opened beside " + found->address.to_text() +
         " of another listener: one of the two includes the other";
}

void read_listener(const toml::table& table, Config& config, Problems& problems) {
  Section section(&table, "listener", problems);
  ListenerConfig listener;
  std::string address;
  if (const toml::node* node = section.text("address", address)) {
    const auto parsed = io::Address::parse(address);
    if (parsed) {
      listener.address = *parsed;
      const std::string objection = object_to_listener(*parsed, config.listeners);
      if (!objection.empty()) section.problem(*node, "address = \"" + address + "\": " + objection);
    } else {
      section.problem(*node, "address = \"" + address +
                                 "\" must be an address like \"127.0.0.1:8420\", \"[::1]:8420\" or "
                                 "\"unix:/run/ringpost/ringpost.sock\"");
    }
  } else if (table.get("address") == nullptr) {
    problems.add(table.source(), "[[listener]] needs an address");
  }
  read_serves(table, section, listener.serves);
  Section tls = section.table("tls");
  const size_t problems_before = problems.count();
  tls.file("certificate", listener.certificate_file);
  tls.file("key", listener.key_file);
  tls.finish();
  if (tls.present() && problems.count() == problems_before) {
    if (listener.certificate_file.empty() || listener.key_file.empty()) {
      problems.add(tls.where(), "[listener.tls] needs both certificate and key");
    } else {
      read_tls_files(listener, tls.where(), problems);
    }
  }
  section.finish();
  config.listeners.push_back(std::move(listener));
}

}  // namespace ringpost::server
