#include "server/settings.h"

#include "server/config_keys.h"
#include "server/hosts.h"
#include "server/tracing_config.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace ringpost::server {
namespace {

/// By which name receivers know us: a DNS name, so nothing else of what a machine may be called.
std::string origin_of(const Config& config) {
  if (!config.public_host.empty()) return config.public_host;
  const std::string name = machine_name();
  return name.empty() ? "localhost" : name;
}

}  // namespace

std::optional<shard::LiveSettings> live_settings(
    const Config& config, const std::shared_ptr<const net::OwnAddresses>& own, std::string& why) {
  auto policy = net::EgressPolicy::create({.allow_networks = config.allow_networks,
                                           .deny_networks = config.deny_networks,
                                           .allow_plain_http_networks = config.plain_http_networks,
                                           .allow_ports = {},
                                           .own = config.allow_own_addresses ? nullptr : own},
                                          why);
  if (!policy) return std::nullopt;
  auto roots = net::CommonRoots::create(config.ca_pem);
  if (!roots) {
    why = "delivery.ca_file holds no certificates in PEM form";
    return std::nullopt;
  }
  shard::LiveSettings settings;
  settings.policy = std::move(*policy);
  settings.roots = std::move(*roots);
  settings.event_limits = {.event_bytes_max = static_cast<uint32_t>(config.event_bytes_max),
                           .batch_bytes_max = static_cast<uint32_t>(config.batch_bytes_max),
                           .batch_events_max = config.batch_events_max};
  settings.server.connections_max = config.ingest_connections_max;
  settings.server.connections_per_address_max = config.connections_per_address_max;
  settings.server.hosts = known_hosts(config);
  settings.server.bodies_bytes_max = config.bodies_bytes_max;
  // Of a few connections, producers get half at least.
  settings.server.connections_reserved =
      std::min(settings.server.connections_reserved, config.ingest_connections_max / 2);
  settings.delivery.pending_max = config.pending_max;
  settings.delivery.attempts_in_flight_max = config.attempts_in_flight_max;
  settings.delivery.retained_bytes_max = config.retained_bytes_max;
  settings.delivery.bytes_in_flight_max = config.retained_bytes_max;
  settings.delivery.connections_max = config.delivery_connections_max;
  settings.delivery.connections_per_endpoint_max = config.connections_per_endpoint_max;
  settings.delivery.circuit.failures_max = config.circuit_failures;
  settings.delivery.circuit.pause_max = config.circuit_pause_max;
  settings.delivery.outcome_delay = config.outcome_delay;
  settings.delivery.idle_max = config.idle_max;
  settings.origin = origin_of(config);
  if (!config.tracing_endpoint.empty()) settings.trace_ratio = config.tracing_sample_ratio;
  for (const ListenerConfig& listener : config.listeners) {
    settings.certificates.push_back(listener.tls);
  }
  return settings;
}

namespace {

control::ForwardSettings forward_settings(const Config& config) {
  control::ForwardSettings settings{.url = {},
                                    .token = config.forward_token,
                                    .trust = {},
                                    .sources = config.forward_sources,
                                    .events = config.forward_events,
                                    .batch_events_max = config.forward_batch_events_max,
                                    .batch_bytes_max = config.forward_batch_bytes_max,
                                    .window = config.forward_idempotency_window};
  if (config.forward_events_url.empty()) return settings;
  settings.url = std::get<http::Url>(http::parse_url(config.forward_events_url));
  settings.trust = std::make_shared<const net::ServerTrust>(
      net::ServerTrust{.ca_pem = config.forward_ca_pem,
                       .certificate_pem = config.forward_certificate_pem,
                       .key_pem = config.forward_key_pem});
  return settings;
}

/// What load_config has read already.
control::TracingSettings tracing_settings(const Config& config) {
  control::TracingSettings settings;
  if (config.tracing_endpoint.empty()) return settings;
  settings.endpoint = std::get<http::Url>(parse_collector_url(config.tracing_endpoint));
  if (!config.tracing_headers.empty()) {
    settings.headers =
        std::get<std::vector<http::Header>>(parse_collector_headers(config.tracing_headers));
  }
  settings.trust = std::make_shared<const net::ServerTrust>(
      net::ServerTrust{.ca_pem = config.tracing_ca_pem,
                       .certificate_pem = config.tracing_certificate_pem,
                       .key_pem = config.tracing_key_pem});
  settings.sample_ratio = config.tracing_sample_ratio;
  settings.timeout = config.tracing_timeout;
  settings.resource.emplace_back("service.name", config.tracing_service_name);
  for (const std::string& text : config.tracing_attributes) {
    settings.resource.push_back(
        std::get<std::pair<std::string, std::string>>(parse_resource_attribute(text)));
  }
  return settings;
}

}  // namespace

control::Control::Settings control_settings(const Config& config) {
  control::Control::Settings settings;
  settings.retention = {.age = config.retention_age,
                        .bytes = config.retention_bytes,
                        .organization_ages = config.organization_ages};
  settings.public_url = config.public_url;
  settings.webhook_ips = config.webhook_ips;
  settings.limits = config.limits;
  settings.streams = config.streams;
  settings.gaps = {.interval = config.gap_interval,
                   .asks_per_minute = config.redeliveries_per_minute,
                   .window = config.idempotency_window};
  settings.forward = forward_settings(config);
  settings.tracing = tracing_settings(config);
  settings.metrics.webhooks_max = config.metrics_webhooks_max;
  settings.configuration = values_of(config);
  for (const ListenerConfig& listener : config.listeners) {
    if (listener.tls == nullptr) continue;
    settings.metrics.certificates.push_back({listener.address.to_text(), listener.tls_expires_at});
  }
  for (const UserConfig& user : config.users) {
    settings.users.push_back({.email = user.email,
                              .scrypt_text = user.password.to_text(),
                              .organization = user.organization,
                              .scopes = user.scopes});
  }
  return settings;
}

}  // namespace ringpost::server
