#include "net/own_addresses.h"

#include "http/syntax.h"

#include <algorithm>
#include <utility>

namespace ringpost::net {
namespace {

using Family = io::Address::Family;

bool is_unspecified(const io::Address& address) {
  return std::ranges::all_of(address.ip, [](uint8_t byte) { return byte == 0; });
}

bool is_loopback(const io::Address& address) {
  if (address.family == Family::ipv4) return address.ip[0] == 127;
  return address.ip.back() == 1 && std::ranges::all_of(address.ip.begin(), address.ip.end() - 1,
                                                       [](uint8_t byte) { return byte == 0; });
}

bool same_ip(const io::Address& one, const io::Address& other) {
  return one.family == other.family && one.ip == other.ip;
}

/// A listener at :: hears IPv4, too.
bool hears(const io::Address& listener, Family family) {
  return listener.family == family || (is_unspecified(listener) && listener.family == Family::ipv6);
}

}  // namespace

void OwnAddresses::set(Content content) {
  std::erase_if(content.listeners,
                [](const io::Address& listener) { return listener.family == Family::unix_path; });
  const std::lock_guard lock{mutex_};
  content_ = std::move(content);
}

bool OwnAddresses::contain(const io::Address& address) const {
  const std::lock_guard lock{mutex_};
  return std::ranges::any_of(content_.listeners, [&](const io::Address& listener) {
    if (listener.port != address.port) return false;
    // Who connects to the unspecified address comes to this machine's loopback.
    if (is_unspecified(address)) return is_unspecified(listener) || is_loopback(listener);
    if (same_ip(listener, address)) return true;
    return is_unspecified(listener) && hears(listener, address.family) && of_this_machine(address);
  });
}

bool OwnAddresses::of_this_machine(const io::Address& address) const {
  return is_loopback(address) || std::ranges::any_of(content_.machine, [&](const io::Address& own) {
           return same_ip(own, address);
         });
}

bool OwnAddresses::may_listen(uint16_t port) const {
  return port == 443 || port == 80 || port == content_.public_port ||
         std::ranges::find(content_.listeners, port, &io::Address::port) !=
             content_.listeners.end();
}

bool OwnAddresses::named(std::string_view host, uint16_t port) const {
  const auto is_host = [host](const std::string& own) {
    return !own.empty() && http::equal_ignoring_case(host, own);
  };
  const std::lock_guard lock{mutex_};
  if (is_host(content_.public_host) && port == content_.public_port) return true;
  return may_listen(port) && std::ranges::any_of(content_.hosts, is_host);
}

}  // namespace ringpost::net
