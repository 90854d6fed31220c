#include "load/bystanders.h"

#include "cli/text.h"
#include "http/syntax.h"
#include "http/url.h"
#include "load/options.h"
#include "net/egress_policy.h"
#include "subscription/patterns.h"

#include <algorithm>

namespace ringpost::load {
namespace {

bool wants(const Bystander& webhook, const EventNames& names) {
  const auto matches_any = [](const auto& patterns, const auto& texts, auto matches) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
      return std::ranges::any_of(texts,
                                 [&](const std::string& text) { return matches(pattern, text); });
    });
  };
  return matches_any(webhook.sources, names.sources, subscription::source_matches) &&
         matches_any(webhook.events, names.types, subscription::event_matches);
}

/// A name may be anybody's, unless it is one of this machine's.
bool is_here(const std::string& host) {
  if (net::names_this_host(host)) return true;
  const auto address = io::Address::parse_ip(host, 0);
  return address && is_this_machine(*address);
}

}  // namespace

std::string object_to_bystanders(std::span<const Bystander> bystanders, const EventNames& names,
                                 std::span<const std::string> owned_hosts) {
  for (const Bystander& webhook : bystanders) {
    const auto parsed = http::parse_url(webhook.url);
    const auto* url = std::get_if<http::Url>(&parsed);
    if (url == nullptr || is_here(url->host) || !wants(webhook, names)) continue;
    const bool owned = std::ranges::any_of(owned_hosts, [url](const std::string& host) {
      return http::equal_ignoring_case(host, url->host);
    });
    if (owned) continue;
    return "the relay's webhook " + cli::shown(webhook.id) + " would send these events to " +
           cli::shown(url->host) +
           ", which is not this machine: choose a --type or --source that it does not want, or, if "
           "you are responsible for that host, say so with --i-own-this-target " +
           cli::shown(url->host);
  }
  return "";
}

}  // namespace ringpost::load
