#pragma once

#include "server/config.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::server {

/// A key of the configuration, and what becomes of a new value while the relay runs.
struct ConfigKey {
  enum class Takes : uint8_t {
    reload,   ///< In force at once.
    restart,  ///< In force at the next start; ringpost.example.toml marks these keys.
  };

  std::string_view name;  ///< `ingest.event_bytes_max`; `listener`, `user` for the tables.
  Takes takes = Takes::restart;
  bool (*same)(const Config& one, const Config& other) = nullptr;
  /// Where it waits: puts the running value into a configuration that was read anew.
  void (*keep)(const Config& running, Config& read) = nullptr;
  /// The value for people, as the file writes it; secrets in it are masked.
  std::string (*show)(const Config& config) = nullptr;
};

/// Every key there is: the one place that says what needs a restart.
std::span<const ConfigKey> config_keys();

/// What of a configuration that was read anew takes effect in a relay that runs another one.
struct ConfigChange {
  Config config;                           ///< The new one, with what waits as it was before.
  std::vector<std::string> changed;        ///< Names of keys that take effect.
  std::vector<std::string> needs_restart;  ///< Names of keys whose new value waits.
};

/// What is in force, key by key, for `GET /v1/admin/config`.
std::vector<control::ConfigValue> values_of(const Config& config);

/// @param running  as it runs, whatever needs a restart by now.
ConfigChange change_of(const Config& running, Config read);

}  // namespace ringpost::server
