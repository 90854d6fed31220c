#include "server/config_forward.h"

#include "control/forward_settings.h"
#include "http/url.h"

#include <algorithm>
#include <variant>

namespace ringpost::server {
namespace {

void read_forward_url(Section& section, Config& config) {
  const toml::node* node = section.text("url", config.forward_url);
  if (node == nullptr || config.forward_url.empty()) return;
  const std::string shown = "url = \"" + config.forward_url + "\" ";
  const auto parsed = http::parse_url(config.forward_url);
  if (const auto* problem = std::get_if<http::UrlProblem>(&parsed)) {
    return section.problem(*node, shown + problem->reason);
  }
  http::Url url = std::get<http::Url>(parsed);
  if (url.target.find('?') != std::string::npos) {
    return section.problem(*node, shown + "has a query; give the central relay's address alone");
  }
  if (!url.tls && !config.forward_plain_http && !is_loopback(url)) {
    return section.problem(*node, shown +
                                      "is not https: the token and all events would be readable on "
                                      "the way; use https, or say allow_plain_http = true");
  }
  if (!url.target.ends_with('/')) url.target += '/';
  if (url.target.ends_with("/v1/events/")) {
    return section.problem(
        *node, shown + "ends with /v1/events; give the central relay's address without it");
  }
  url.target += "v1/events";
  config.forward_events_url = url.text();
  if (config.forward_events_url.size() > http::url_bytes_max) {
    section.problem(*node, "url is too long: with /v1/events it may have " +
                               std::to_string(http::url_bytes_max) + " bytes");
  }
}

/// More than any relay or proxy gives out, and it fits a header.
constexpr size_t token_bytes_max = 4096;

/// One line, of what may stand in a header.
void read_forward_token(Section& section, Config& config) {
  const toml::node* node =
      section.named_file("token_file", config.forward_token_file, config.forward_token);
  if (node == nullptr) return;
  std::string& token = config.forward_token;
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const bool fits = std::ranges::all_of(token, [](char byte) { return byte > ' ' && byte < 0x7f; });
  if (token.empty() || !fits) {
    section.problem(*node, "token_file: " + config.forward_token_file +
                               " must hold the token alone, on one line");
  } else if (token.size() > token_bytes_max) {
    section.problem(*node, "token_file: what " + config.forward_token_file +
                               " holds is too long for a token: " + std::to_string(token.size()) +
                               " characters of " + std::to_string(token_bytes_max));
  }
}

/// Beside a `url` that is empty anything may stay: so forwarding is switched off.
void check_that_url_is_there(Section& section) {
  if (section.node("url") != nullptr) return;
  for (const char* key : {"token_file", "sources", "events"}) {
    const toml::node* node = section.node(key);
    if (node == nullptr) continue;
    return section.problem(*node, std::string{key} +
                                      ": url is missing, so nothing is forwarded; give the central "
                                      "relay's address, or url = \"\"");
  }
}

}  // namespace

void read_forward(Section section, Config& config) {
  section.boolean("allow_plain_http", config.forward_plain_http);
  read_forward_url(section, config);
  read_forward_token(section, config);
  section.ca_file(config.forward_ca_file, config.forward_ca_pem);
  section.client_certificate({config.forward_certificate_file, config.forward_certificate_pem,
                              config.forward_key_file, config.forward_key_pem});
  section.patterns("sources", subscription::object_to_source_pattern, config.forward_sources);
  section.patterns("events", subscription::object_to_event_pattern, config.forward_events);
  section.integer("batch_events_max", config.forward_batch_events_max, 1,
                  control::ForwardSettings::batch_events_limit);
  section.size("batch_bytes_max", config.forward_batch_bytes_max, 1024, 32u << 20);
  section.duration("idempotency_window", config.forward_idempotency_window, std::chrono::seconds{1},
                   std::chrono::hours{24 * 30});
  if (!config.forward_url.empty() && config.forward_token_file.empty()) {
    section.problem(*section.node("url"),
                    "token_file is missing: a file with a token of the central relay that has the "
                    "scopes events:write and deliveries:read");
  }
  check_that_url_is_there(section);
  section.finish();
}

}  // namespace ringpost::server
