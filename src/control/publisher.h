#pragma once

#include "control/messages.h"
#include "control/webhook_registry.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace ringpost::control {

/// Makes "in force when it is answered" true: an answer to a change waits until every shard has
/// said that it uses no snapshot older than the one with the change.
class Publisher {
 public:
  /// @param post  must outlive the publisher.
  Publisher(WebhookRegistry& registry, Post& post, uint32_t shard_count);

  /// Sends `message` to `shard` once everything changed so far is in force everywhere.
  void send_when_seen(uint32_t shard, ToShard message);

  /// Something changed, and nobody waits for it: it goes out with the next flush.
  void on_change() { dirty_ = true; }

  /// Publishes what changed since the last call, if anything did: once for a batch of requests.
  void flush();
  void on_seen(uint32_t shard, uint64_t version);

  /// Changes or answers wait for `flush`.
  bool dirty() const { return dirty_; }
  /// Everything published is in force on every shard.
  bool settled() const;

 private:
  struct Waiting {
    uint64_t version = 0;  // 0: with the next flush.
    uint32_t shard = 0;
    ToShard message;
  };

  void answer();

  WebhookRegistry& registry_;
  Post& post_;
  std::vector<uint64_t> seen_;  // By shard.
  uint64_t published_ = 0;
  bool dirty_ = false;
  std::deque<Waiting> waiting_;  // By rising version; those of the next flush last.
};

}  // namespace ringpost::control
