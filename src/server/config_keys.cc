#include "server/config_keys.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <utility>

namespace ringpost::server {
namespace {

using Takes = ConfigKey::Takes;

constexpr std::string_view mask = "*****";

std::string text_of(bool value) {
  return value ? "true" : "false";
}
template <std::unsigned_integral Integer>
requires(!std::same_as<Integer, bool>) std::string text_of(Integer value) {
  return std::to_string(value);
}
std::string text_of(Duration value) {
  return format_duration(value);
}
std::string text_of(double value) {
  return format_number(value);
}
std::string text_of(const std::string& value) {
  return value;
}
std::string text_of(io::EngineChoice value) {
  if (value == io::EngineChoice::automatic) return "auto";
  return value == io::EngineChoice::epoll ? "epoll" : "io_uring";
}
std::string text_of(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text.append(text.empty() ? "" : ", ").append(value);
  return text;
}

std::string text_of(const std::vector<SourceConfig>& sources) {
  std::vector<std::string> texts;
  for (const SourceConfig& source : sources) {
    texts.push_back(source.directory + " of " + source.organization);
  }
  return text_of(texts);
}

std::string text_of(const control::OrganizationAges& ages) {
  std::vector<std::string> texts;
  for (const auto& [organization, age] : ages) {
    texts.push_back(organization + " " + text_of(age));
  }
  return text_of(texts);
}

std::string text_of(const Serves& serves) {
  std::vector<std::string> names;
  if (serves.events) names.emplace_back("events");
  if (serves.api) names.emplace_back("api");
  if (serves.metrics) names.emplace_back("metrics");
  if (serves.console) names.emplace_back("console");
  if (serves.cloudevents) names.emplace_back("cloudevents");
  return text_of(names);
}

template <auto member>
constexpr ConfigKey key(std::string_view name, Takes takes) {
  return {name, takes,
          [](const Config& one, const Config& other) { return one.*member == other.*member; },
          takes == Takes::restart
              ? +[](const Config& running, Config& read) { read.*member = running.*member; }
              : nullptr,
          [](const Config& config) { return text_of(config.*member); }};
}

/// Of a number of bytes.
template <auto member>
constexpr ConfigKey size_key(std::string_view name, Takes takes) {
  ConfigKey made = key<member>(name, takes);
  made.show = [](const Config& config) { return format_size(config.*member); };
  return made;
}

bool same_users(const Config& one, const Config& other) {
  return std::ranges::equal(
      one.users, other.users, [](const UserConfig& left, const UserConfig& right) {
        return left.email == right.email && left.password.to_text() == right.password.to_text() &&
               left.organization == right.organization && left.scopes == right.scopes;
      });
}

std::string show_users(const Config& config) {
  std::vector<std::string> users;
  for (const UserConfig& user : config.users) {
    users.push_back(user.email + " of " + user.organization + ", password " + std::string{mask});
  }
  std::string text;
  for (const std::string& user : users) text.append(text.empty() ? "" : "; ").append(user);
  return text;
}

std::string show_listeners(const Config& config) {
  std::string text;
  for (const ListenerConfig& listener : config.listeners) {
    text.append(text.empty() ? "" : "; ").append(listener.address.to_text());
    text.append(" serves ").append(text_of(listener.serves));
  }
  return text;
}

std::string show_certificates(const Config& config) {
  std::string text;
  for (const ListenerConfig& listener : config.listeners) {
    if (listener.tls == nullptr) continue;
    text.append(text.empty() ? "" : "; ").append(listener.address.to_text());
    text.append(": ").append(listener.certificate_file).append(", ").append(listener.key_file);
  }
  return text;
}

/// All of the listeners but which certificates they have.
bool same_listeners(const Config& one, const Config& other) {
  return std::ranges::equal(one.listeners, other.listeners,
                            [](const ListenerConfig& left, const ListenerConfig& right) {
                              return left.address == right.address && left.serves == right.serves &&
                                     (left.tls == nullptr) == (right.tls == nullptr);
                            });
}

/// The listeners stay; their certificates come from where the same address has one now.
void keep_listeners(const Config& running, Config& read) {
  std::vector<ListenerConfig> kept = running.listeners;
  for (ListenerConfig& listener : kept) {
    if (listener.tls == nullptr) continue;
    const auto found = std::ranges::find_if(read.listeners, [&](const ListenerConfig& other) {
      return other.tls != nullptr && other.address == listener.address;
    });
    if (found == read.listeners.end()) continue;
    listener.certificate_file = std::move(found->certificate_file);
    listener.key_file = std::move(found->key_file);
    listener.tls_digest = found->tls_digest;
    listener.tls_expires_at = found->tls_expires_at;
    listener.tls = std::move(found->tls);  // Port 0 may stand there twice: each has its own.
  }
  read.listeners = std::move(kept);
}

bool same_certificates(const Config& one, const Config& other) {
  return std::ranges::equal(one.listeners, other.listeners, {}, &ListenerConfig::tls_digest,
                            &ListenerConfig::tls_digest);
}

/// Of a file that is read with the configuration: a change of its content is one, too.
template <auto file, auto content>
constexpr ConfigKey file_key(std::string_view name) {
  return {name, Takes::reload,
          [](const Config& one, const Config& other) {
            return one.*file == other.*file && one.*content == other.*content;
          },
          nullptr, [](const Config& config) { return config.*file; }};
}

// `listener` stands before `listener.tls`, which compares listener by listener.
constexpr std::array keys = {
    key<&Config::shards>("server.shards", Takes::restart),
    key<&Config::engine>("server.engine", Takes::restart),
    size_key<&Config::memory_max>("server.memory_max", Takes::restart),
    key<&Config::data_dir>("server.data_dir", Takes::restart),
    key<&Config::drain_max>("server.drain_max", Takes::reload),
    key<&Config::public_url>("server.public_url", Takes::reload),
    key<&Config::hosts>("server.hosts", Takes::reload),
    key<&Config::webhook_ips>("server.webhook_ips", Takes::reload),
    ConfigKey{"listener", Takes::restart, same_listeners, keep_listeners, show_listeners},
    ConfigKey{"listener.tls", Takes::reload, same_certificates, nullptr, show_certificates},
    key<&Config::sources>("source", Takes::restart),
    size_key<&Config::event_bytes_max>("ingest.event_bytes_max", Takes::reload),
    size_key<&Config::batch_bytes_max>("ingest.batch_bytes_max", Takes::reload),
    key<&Config::batch_events_max>("ingest.batch_events_max", Takes::reload),
    key<&Config::ingest_connections_max>("ingest.connections_max", Takes::reload),
    key<&Config::connections_per_address_max>("ingest.connections_per_address_max", Takes::reload),
    size_key<&Config::bodies_bytes_max>("ingest.bodies_bytes_max", Takes::reload),
    key<&Config::idempotency_window>("ingest.idempotency_window", Takes::restart),
    key<&Config::idempotency_entries_max>("ingest.idempotency_entries_max", Takes::restart),
    key<&Config::gap_interval>("incoming.gap_interval", Takes::reload),
    key<&Config::redeliveries_per_minute>("incoming.redeliveries_per_minute", Takes::reload),
    key<&Config::forward_url>("forward.url", Takes::reload),
    file_key<&Config::forward_token_file, &Config::forward_token>("forward.token_file"),
    file_key<&Config::forward_ca_file, &Config::forward_ca_pem>("forward.ca_file"),
    file_key<&Config::forward_certificate_file, &Config::forward_certificate_pem>(
        "forward.certificate_file"),
    file_key<&Config::forward_key_file, &Config::forward_key_pem>("forward.key_file"),
    key<&Config::forward_plain_http>("forward.allow_plain_http", Takes::reload),
    key<&Config::forward_sources>("forward.sources", Takes::reload),
    key<&Config::forward_events>("forward.events", Takes::reload),
    key<&Config::forward_batch_events_max>("forward.batch_events_max", Takes::reload),
    size_key<&Config::forward_batch_bytes_max>("forward.batch_bytes_max", Takes::reload),
    key<&Config::forward_idempotency_window>("forward.idempotency_window", Takes::reload),
    key<&Config::tracing_endpoint>("tracing.endpoint", Takes::reload),
    key<&Config::tracing_sample_ratio>("tracing.sample_ratio", Takes::reload),
    file_key<&Config::tracing_headers_file, &Config::tracing_headers>("tracing.headers_file"),
    file_key<&Config::tracing_ca_file, &Config::tracing_ca_pem>("tracing.ca_file"),
    file_key<&Config::tracing_certificate_file, &Config::tracing_certificate_pem>(
        "tracing.certificate_file"),
    file_key<&Config::tracing_key_file, &Config::tracing_key_pem>("tracing.key_file"),
    key<&Config::tracing_plain_http>("tracing.allow_plain_http", Takes::reload),
    key<&Config::tracing_timeout>("tracing.timeout", Takes::reload),
    key<&Config::tracing_service_name>("tracing.service_name", Takes::reload),
    key<&Config::tracing_attributes>("tracing.attributes", Takes::reload),
    size_key<&Config::segment_bytes>("journal.segment_bytes", Takes::restart),
    key<&Config::retention_age>("journal.retention_age", Takes::reload),
    size_key<&Config::retention_bytes>("journal.retention_bytes", Takes::reload),
    key<&Config::organization_ages>("organizations", Takes::reload),
    key<&Config::accept_loss>("journal.accept_loss", Takes::restart),
    key<&Config::accept_network_disk>("journal.accept_network_disk", Takes::restart),
    key<&Config::outcome_delay>("journal.outcome_delay", Takes::reload),
    size_key<&Config::history_memory_max>("journal.history_memory_max", Takes::restart),
    key<&Config::pending_max>("delivery.pending_max", Takes::reload),
    key<&Config::attempts_in_flight_max>("delivery.attempts_in_flight_max", Takes::reload),
    key<&Config::connections_per_endpoint_max>("delivery.connections_per_endpoint_max",
                                               Takes::reload),
    key<&Config::circuit_failures>("delivery.circuit_failures", Takes::reload),
    key<&Config::circuit_pause_max>("delivery.circuit_pause_max", Takes::reload),
    key<&Config::idle_max>("delivery.idle_max", Takes::reload),
    key<&Config::allow_networks>("delivery.allow_networks", Takes::reload),
    key<&Config::deny_networks>("delivery.deny_networks", Takes::reload),
    key<&Config::plain_http_networks>("delivery.plain_http_networks", Takes::reload),
    key<&Config::allow_own_addresses>("delivery.allow_own_addresses", Takes::reload),
    file_key<&Config::ca_file, &Config::ca_pem>("delivery.ca_file"),
    key<&Config::key_file>("secrets.key_file", Takes::restart),
    ConfigKey{"user", Takes::reload, same_users, nullptr, show_users},
    ConfigKey{"api.streams_max", Takes::reload,
              [](const Config& one, const Config& other) {
                return one.streams.count_max == other.streams.count_max;
              },
              nullptr, [](const Config& config) { return text_of(config.streams.count_max); }},
    ConfigKey{"api.streams_per_organization_max", Takes::reload,
              [](const Config& one, const Config& other) {
                return one.streams.per_organization_max == other.streams.per_organization_max;
              },
              nullptr,
              [](const Config& config) { return text_of(config.streams.per_organization_max); }},
    key<&Config::metrics_webhooks_max>("metrics.webhooks_max", Takes::reload),
    key<&Config::log_level>("log.level", Takes::reload),
    key<&Config::log_json>("log.json", Takes::restart),
};

}  // namespace

std::span<const ConfigKey> config_keys() {
  return keys;
}

std::vector<control::ConfigValue> values_of(const Config& config) {
  std::vector<control::ConfigValue> values;
  for (const ConfigKey& key : keys) {
    std::string value = key.show(config);
    const bool given = key.name == "listener.tls" ? !value.empty() : config.gives(key.name);
    values.push_back({.key = std::string{key.name},
                      .value = std::move(value),
                      .given = given,
                      .takes_reload = key.takes == Takes::reload});
  }
  return values;
}

ConfigChange change_of(const Config& running, Config read) {
  ConfigChange change{.config = std::move(read), .changed = {}, .needs_restart = {}};
  Config& next = change.config;
  for (const ConfigKey& key : keys) {
    if (key.takes != Takes::restart) continue;
    if (!key.same(running, next)) change.needs_restart.emplace_back(key.name);
    key.keep(running, next);
  }
  // Together with the segments that wait, it was right; with those that run, it is not.
  if (!segments_hold_events(next)) {
    change.needs_restart.emplace_back("ingest.event_bytes_max");
    next.event_bytes_max = running.event_bytes_max;
  }
  for (const ConfigKey& key : keys) {
    if (key.takes == Takes::reload && !key.same(running, next)) {
      change.changed.emplace_back(key.name);
    }
  }
  return change;
}

}  // namespace ringpost::server
