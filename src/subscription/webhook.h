#pragma once

#include "base/clock.h"
#include "base/ulid.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::subscription {

class EventRule;

enum class WebhookState : uint8_t { active, disabled, broken };

std::string_view name(WebhookState state);
std::optional<WebhookState> parse_webhook_state(std::string_view text);

/// Where a webhook's requests go, taken from its URL once, by the one URL parser (http/url.h).
struct Destination {
  std::string url;   ///< As it was given, to be shown; the rest is the one reading of it.
  bool tls = true;   ///< https
  std::string host;  ///< Lower case, ASCII; an IPv6 literal without its brackets.
  uint16_t port = 443;
  std::string target;  ///< Path and query, as sent in the request line; begins with `/`.
};

/// What an event must be besides of a wanted source and type. Empty members ask for nothing.
struct Filter {
  /// Branch patterns (branch_patterns.h). What knows no branch is not asked for one.
  std::string branches;
  std::vector<std::string> teams;     ///< One of the event's teams is one of these.
  std::vector<std::string> clusters;  ///< The event's cluster is one of these.
  std::string data;  ///< What the event's data must say, as JSON (data_condition.h).

  bool empty() const {
    return branches.empty() && teams.empty() && clusters.empty() && data.empty();
  }
  friend bool operator==(const Filter&, const Filter&) = default;
};

/// A webhook as the store keeps it and the shards see it. Never changes once published: an update
/// is a new Webhook with the same number and id.
struct Webhook {
  uint32_t number = 0;  ///< Key of the store and of the journal's records; never used twice.
  Ulid id;
  std::string dialect = "standard";  ///< A name that src/dialect knows; this one if none is said.
  std::string description;
  std::string organization = "default";
  Destination destination;
  std::vector<std::string> sources{"*"};  ///< Exact names, `app/*` for a kind, `*` for all.
  std::vector<std::string> events{"*"};   ///< Exact types, `build/*` or `build.*`, `*` for all.
  Filter filter;
  std::vector<std::pair<std::string, std::string>> headers;  ///< The user's own, in their order.
  std::string secret;           ///< In the form of the dialect; empty: unsigned.
  std::string previous_secret;  ///< Signs beside `secret` until the time below; empty: none.
  WallTime previous_secret_until{};
  std::string
      settings;  ///< The dialect's own, in its own form; empty for dialects without. Secret.
  bool tls_verify = true;
  std::string tls_ca;                ///< PEM; empty: the system's roots.
  std::vector<uint32_t> schedule_s;  ///< Seconds before attempts 2, 3, …; empty: one attempt.
  uint32_t timeout_ms = 30'000;      ///< Total deadline of one attempt.
  uint32_t concurrency_max = 64;     ///< Attempts in flight at once.
  uint32_t rate_per_second = 0;      ///< Attempts begun in a second; 0: no limit.
  /// Its requests go to a program that asks the relay for them (`ringpost listen`), and the URL is
  /// where that one sends them.
  bool is_listener = false;
  WebhookState state = WebhookState::active;
  std::string state_reason;
  WallTime created_at{};
  WallTime updated_at{};

  /// What the dialect and the filter ask of an event; null: nothing. Made when the webhook is
  /// loaded or changed, read by every shard.
  std::shared_ptr<const EventRule> rule;

  bool active() const { return state == WebhookState::active; }
};

/// Everything that connections must share to be shared themselves (reliability rule 7): the pool's
/// key, and with `shards` the owner shard of the endpoint.
std::string endpoint_key(const Webhook& webhook);

/// The shard that owns the endpoint (scheme, host, port) of a webhook. The same for all webhooks of
/// one endpoint, and across restarts with the same count of shards.
uint32_t owner_shard(const Webhook& webhook, uint32_t shard_count);

/// The first retry schedule, in seconds: what a webhook gets that asks for none (Standard Webhooks'
/// recommended spacing: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h).
std::vector<uint32_t> default_schedule();

}  // namespace ringpost::subscription
