#pragma once

#include "base/clock.h"
#include "control/api/api.h"
#include "control/messages.h"
#include "control/webhook_registry.h"
#include "crypto/digest.h"
#include "subscription/table.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::control {

/// Webhooks whose requests go to a program that asks for them (`ringpost listen`), because its
/// receiver cannot be reached from here. The program opens a stream (`GET
/// /v1/listeners/{id}/stream`), gets each request there as it would be sent, and gives back what
/// its receiver answered.
///
/// A listener lives as long as its stream and `lease` longer. In memory there is no more than who
/// listens and what was asked; after a restart each listener has its lease to come back.
class Listeners {
 public:
  /// How long a webhook stays that nobody listens for, beside the time of one attempt: a program
  /// that waits for its receiver does not see that the connection is lost.
  static constexpr Duration lease = std::chrono::seconds{60};
  static constexpr Duration heartbeat_interval = std::chrono::seconds{15};
  static constexpr size_t per_organization_max = 20;

  struct Parts {
    WebhookRegistry& registry;
    const subscription::SubscriptionTable& table;
    Post& post;
    uint32_t shard_count = 1;
  };

  explicit Listeners(const Parts& parts) : parts_(parts) {}

  /// Of those that the store has. Call once, when the relay begins to run.
  void begin_leases(Instant now);
  /// Why the organization may have no more; nothing: it may.
  std::optional<Problem> object_to_count(std::string_view organization) const;
  /// One was made.
  void add(const subscription::Webhook& webhook, Instant now);

  /// `GET /v1/listeners/{id}/stream`: the head of its answer, and `begin` has to follow
  /// (`is_opening`); or a refusal. The stream before it ends.
  Answer open(const Call& call);
  bool is_opening() const { return opening_ != nullptr; }
  /// The head was sent there.
  void begin(uint32_t shard, http::RequestHandle handle, Instant now);
  /// `POST /v1/listeners/{id}/answers/{delivery}`.
  Answer answer(const Call& call);

  void on_request(uint32_t shard, ListenerRequest&& request, WallTime wall_now, Instant now);
  void on_request_over(uint32_t shard, const ListenerRequestOver& over);
  void on_gone(uint32_t shard, http::RequestHandle handle, Instant now);

  /// Heartbeats, and the end of streams whose token is no more.
  void step(WallTime wall_now, Instant now);
  /// Webhooks whose lease is over, and that are there: to be removed.
  std::vector<const subscription::Webhook*> expired(Instant now);
  /// When `step` or `expired` has something to do without a message before.
  std::optional<Instant> due() const;

 private:
  struct Stream {
    uint32_t shard = 0;
    http::RequestHandle handle;
    crypto::Digest token_sha256{};
    Instant sent_at{};
  };
  struct Asked {
    uint32_t shard = 0;
    uint64_t ticket = 0;
    uint32_t attempt = 0;
  };
  struct Listener {
    std::string organization;
    std::optional<Stream> stream;
    Instant lease_until{};
    std::map<Ulid, Asked> asked;  ///< By delivery.
  };
  /// Why a stream ends.
  struct Notice {
    std::string_view code;
    std::string detail;
  };
  struct Opening {
    uint32_t webhook_number = 0;
    crypto::Digest token_sha256{};
  };

  std::variant<const subscription::Webhook*, Problem> find(const Call& call) const;
  /// All of them: the webhook may be gone, or have moved to another.
  void tell_shards(uint32_t webhook_number, bool listening);
  Duration lease_of(uint32_t webhook_number) const;
  std::optional<Notice> why_it_must_end(const Stream& stream, uint32_t webhook_number,
                                        WallTime wall_now) const;
  void send(Stream& stream, std::string piece, Instant now, bool last = false);
  void end_stream(uint32_t webhook_number, Listener& listener, std::string_view code,
                  std::string_view detail, Instant now);

  const Parts parts_;
  std::map<uint32_t, Listener> listeners_;  ///< By webhook number.
  std::unique_ptr<Opening> opening_;
};

}  // namespace ringpost::control
