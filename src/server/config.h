#pragma once

#include "base/clock.h"
#include "control/memory_limits.h"
#include "control/organization_ages.h"
#include "control/reload.h"
#include "control/stream_limits.h"
#include "crypto/digest.h"
#include "crypto/scrypt.h"
#include "delivery/limits.h"
#include "io/address.h"
#include "io/engine.h"
#include "net/tls.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::io {
class Disk;
}

namespace ringpost::server {

/// What a listener answers to.
struct Serves {
  bool events = true;        ///< POST /v1/events
  bool api = true;           ///< The management API.
  bool metrics = false;      ///< GET /metrics, without a token.
  bool console = true;       ///< The pages of src/console, which need the API beside them.
  bool cloudevents = false;  ///< POST / as POST /v1/events.

  bool operator==(const Serves&) const = default;
};

struct ListenerConfig {
  io::Address address;
  Serves serves;
  std::string certificate_file;  ///< PEM; empty: no TLS.
  std::string key_file;
  /// Made of the two files as they were when the configuration was read; null: no TLS.
  std::shared_ptr<net::ServerTls> tls;
  WallTime tls_expires_at{};    ///< Of the certificate; the epoch: no TLS.
  crypto::Digest tls_digest{};  ///< Of both files' contents: the same files may have been renewed.
};

/// Where they are to listen.
std::vector<io::Address> addresses_of(const std::vector<ListenerConfig>& listeners);

/// Who may log in with a password (the Devopness API's `POST /users/login`).
struct UserConfig {
  std::string email;  ///< As written; no other user's, whatever the case of its letters.
  crypto::PasswordHash password;
  std::string organization = "default";
  uint8_t scopes = 0;  ///< subscription::Scope bits of the tokens that a login gives.
};

/// A directory from which the relay takes events (drop_directory.h).
struct SourceConfig {
  std::string directory;  ///< Absolute.
  std::string organization = "default";

  bool operator==(const SourceConfig&) const = default;
};

/// The whole configuration, with its defaults. Every key is described in ringpost.example.toml.
struct Config {
  uint32_t shards = 0;  ///< 0: one per core, or fewer where memory is small (budgets.h).
  io::EngineChoice engine = io::EngineChoice::automatic;
  uint64_t memory_max = 0;  ///< 0: what the machine gives.
  std::string data_dir = "/var/lib/ringpost";
  Duration drain_max = std::chrono::seconds{30};
  uint16_t public_port = 0;        ///< Of `public_url`.
  std::string public_url;          ///< Scheme and authority, no slash at the end; empty: not given.
  std::string public_host;         ///< Its host; empty: not given.
  std::vector<std::string> hosts;  ///< By which others call the relay, in lower case.
  std::vector<std::string> webhook_ips;  ///< Networks.

  std::vector<ListenerConfig> listeners;
  std::vector<SourceConfig> sources;

  uint64_t event_bytes_max = 1u << 20;
  uint64_t batch_bytes_max = 16u << 20;
  uint32_t batch_events_max = 10'000;
  uint32_t ingest_connections_max = 10'000;
  uint32_t connections_per_address_max = 1'000;
  uint64_t bodies_bytes_max = uint64_t{256} << 20;
  Duration idempotency_window = std::chrono::hours{24};
  uint64_t idempotency_entries_max = 4'000'000;

  Duration gap_interval = std::chrono::minutes(5);  ///< Zero: never.
  uint32_t redeliveries_per_minute = 5;

  std::string forward_url;         ///< Of the central relay, as given; empty: nothing is forwarded.
  std::string forward_events_url;  ///< The same with the path that takes events.
  std::string forward_token_file;
  std::string forward_token;  ///< Its content; so are the three texts below.
  std::string forward_ca_file;
  std::string forward_ca_pem;
  std::string forward_certificate_file;
  std::string forward_certificate_pem;
  std::string forward_key_file;
  std::string forward_key_pem;
  bool forward_plain_http = false;
  std::vector<std::string> forward_sources{"*"};
  std::vector<std::string> forward_events{"*"};
  uint32_t forward_batch_events_max = 500;
  uint64_t forward_batch_bytes_max = 1u << 20;
  Duration forward_idempotency_window = std::chrono::hours{24};

  std::string tracing_endpoint;  ///< Of the collector; empty: no traces.
  double tracing_sample_ratio = 1;
  std::string tracing_headers_file;
  std::string tracing_headers;  ///< Its content; so are the three texts below.
  std::string tracing_ca_file;
  std::string tracing_ca_pem;
  std::string tracing_certificate_file;
  std::string tracing_certificate_pem;
  std::string tracing_key_file;
  std::string tracing_key_pem;
  bool tracing_plain_http = false;
  Duration tracing_timeout = std::chrono::seconds{10};
  std::string tracing_service_name = "ringpost";
  std::vector<std::string> tracing_attributes;  ///< `key=value`.

  uint32_t segment_bytes = 64u << 20;
  Duration retention_age = std::chrono::hours{24 * 7};
  uint64_t retention_bytes = uint64_t{10} << 30;
  control::OrganizationAges organization_ages;  ///< None is longer than `retention_age`.
  bool accept_loss = false;
  bool accept_network_disk = false;
  Duration outcome_delay = std::chrono::milliseconds{10};
  uint64_t history_memory_max = uint64_t{64} << 20;

  uint64_t pending_max = 1'000'000;
  uint32_t attempts_in_flight_max = 4096;
  uint32_t connections_per_endpoint_max = 64;
  uint32_t circuit_failures = 5;
  Duration circuit_pause_max = std::chrono::seconds{60};
  Duration idle_max = std::chrono::seconds{55};
  std::vector<std::string> allow_networks;
  std::vector<std::string> deny_networks;
  std::vector<std::string> plain_http_networks;
  bool allow_own_addresses = false;
  std::string ca_file;  ///< Certificates that receivers are verified by, too; empty: none.
  std::string ca_pem;   ///< Its content.

  std::string key_file;  ///< Empty: the data directory's path and `.key` (key_file.h).
  std::vector<UserConfig> users;

  control::StreamLimits streams;

  uint32_t metrics_webhooks_max = 10;

  std::string log_level = "info";
  bool log_json = false;

  /// Keys that were given: `delivery.pending_max`. What is given is never fitted to the memory.
  std::set<std::string, std::less<>> given;
  bool gives(std::string_view key) const { return given.contains(key); }
  /// Keys of older releases that do nothing any more: a sentence for the operator; empty: none.
  std::string outdated() const;

  // What has no keys, and follows from the memory (budgets.h: use).
  uint64_t retained_bytes_max = delivery::Limits{}.retained_bytes_max;
  uint32_t delivery_connections_max = delivery::Limits{}.connections_max;
  control::MemoryLimits limits;  ///< For people, after `use`.
};

using control::ConfigProblem;

struct ConfigResult {
  Config config;
  std::vector<ConfigProblem> problems;  ///< Empty: `config` may be used.
};

/// Reads the file (none if empty), then applies `--set` assignments in order. All problems are
/// found, not only the first. Files that the configuration names (certificates) are opened and
/// checked, so that this gives the same verdict as a start.
ConfigResult load_config(const std::string& file, const std::vector<std::string>& assignments);

/// The same from text, for tests.
ConfigResult parse_config(std::string_view toml, const std::string& file_name,
                          const std::vector<std::string>& assignments);

/// What a command line says of the configuration.
struct ServeCall {
  std::string config_file;  ///< Empty: none.
  std::vector<std::string> assignments;
  std::optional<std::string> data_dir;  ///< Goes before what the configuration says.
  std::vector<std::string> listen;      ///< Any: they replace the configured listeners.
};

/// What is wrong with the form of one of `assignments` or `listen`; empty: nothing.
std::string_view object_to_assignment(std::string_view text);
std::string_view object_to_listen(std::string_view text);

/// The configuration of a call: of a start, and of each reload of what it started.
ConfigResult load_config(const ServeCall& call);

/// The same, and if it finds nothing, whether the start will find what it needs on this machine:
/// the key file or a folder for it, a folder for the data directory, io_uring if it must have it,
/// and addresses to listen at.
/// Not who uses these addresses now, and not what another user than the caller's may do.
ConfigResult check_config(io::Disk& disk, const ServeCall& call);

/// Why this cannot be the data directory: it is something else, or the directory in which it would
/// be made is missing; empty if nothing is wrong.
std::string object_to_data_dir(const std::string& data_dir);

/// As the configuration writes them: `64MiB`, `30s`.
std::string format_size(uint64_t bytes);
std::string format_duration(Duration duration);
std::string format_number(double number);

/// Whether journal.segment_bytes is enough for ingest.event_bytes_max: an event, its attributes and
/// its block have to fit, beside the reserve.
bool segments_hold_events(const Config& config);

/// The commented example with every key at its default: `ringpost check-config --example`.
std::string_view example_config();

}  // namespace ringpost::server
