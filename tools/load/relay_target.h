#pragma once

#include "cli/client.h"
#include "dialect/dialect.h"
#include "load/bystanders.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::load {

/// What the relay's own counters said; for a check of what was measured.
struct RelayCounters {
  uint64_t events_accepted = 0;
  uint64_t deliveries_created = 0;
  uint64_t deliveries_delivered = 0;
  uint64_t attempts_failed = 0;
};

/// A relay's management API, as a run needs it. Blocks; not to be used while a run is measured.
class RelayTarget {
 public:
  /// @returns null with `problem` set; `wrong_usage` as cli::Client::create.
  static std::unique_ptr<RelayTarget> create(const cli::ClientOptions& options,
                                             std::string& problem, bool& wrong_usage);

  enum class State : uint8_t { good, refuses, unreachable };
  /// Whether a relay is there that takes events with the token. @param problem  why not.
  State check(std::string& problem);

  /// The active webhooks that the token may see.
  std::vector<Bystander> active_webhooks();

  struct NewWebhook {
    std::string dialect;
    std::string url;
    std::string ca_pem;
    std::string secret;
    std::vector<std::string> sources;
    std::vector<std::string> events;
    std::string settings;  ///< A JSON object; empty: none.
  };
  /// Makes a webhook that `remove_webhooks` removes. @returns false with `problem` set.
  bool add_webhook(const NewWebhook& webhook, std::string& problem);
  /// Removes what was made. @returns false with `problem` set, which names those that are left.
  bool remove_webhooks(std::string& problem);

  /// Nothing if the token may not see them.
  std::optional<RelayCounters> counters();

 private:
  explicit RelayTarget(std::unique_ptr<cli::Client> client) : client_(std::move(client)) {}

  std::unique_ptr<cli::Client> client_;
  std::vector<std::string> webhooks_;
};

/// What is different between two looks.
RelayCounters operator-(const RelayCounters& after, const RelayCounters& before);

}  // namespace ringpost::load
