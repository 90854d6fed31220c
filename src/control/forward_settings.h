#pragma once

#include "base/clock.h"
#include "http/url.h"
#include "net/http_client.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::control {

/// What goes to a central relay, and how. May be changed while it runs.
struct ForwardSettings {
  static constexpr uint32_t batch_events_limit = 10'000;  ///< Whatever is configured.

  std::optional<http::Url> url;  ///< Of its `POST /v1/events`; nothing: nothing is forwarded.
  std::string token;
  std::shared_ptr<const net::ServerTrust> trust;
  std::vector<std::string> sources{"*"};  ///< Patterns, as webhooks have them.
  std::vector<std::string> events{"*"};
  uint32_t batch_events_max = 500;
  uint64_t batch_bytes_max = 1 << 20;  ///< An event that is larger goes alone.
  /// How long the central relay knows an event again (its ingest.idempotency_window).
  Duration window = std::chrono::hours(24);
};

}  // namespace ringpost::control
