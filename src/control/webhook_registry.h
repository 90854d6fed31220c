#pragma once

#include "base/result.h"
#include "control/failing_times.h"
#include "control/receiver_notes.h"
#include "subscription/table.h"
#include "subscription/webhook.h"
#include "subscription/webhook_version.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ringpost::control {

class Store;
class TokenRegistry;

/// All webhooks as the management API sees them: the store has them durably, the subscription table
/// shows them to the shards, and this class keeps the two in step. A change is in the store when
/// the call returns; the shards see it with the next `publish`, and until then it is found here.
class WebhookRegistry {
 public:
  WebhookRegistry(Store& store, subscription::SubscriptionTable& table);

  /// Reads all webhooks of the store into the table, its tokens into `tokens`, and publishes them.
  /// Call once.
  Result<void> load(TokenRegistry& tokens);

  /// The store gives the number; the id is the caller's. Errors of these three are the store's.
  Result<const subscription::Webhook*> create(subscription::Webhook webhook);
  Result<const subscription::Webhook*> update(subscription::Webhook webhook);
  Result<void> remove(const subscription::Webhook& webhook);

  /// By its id in either spelling. nullptr if there is none, or it is another organization's. Valid
  /// until the next change.
  const subscription::Webhook* find(std::string_view organization, const Ulid& id) const;
  const subscription::Webhook* find(uint32_t number) const;
  /// nullptr also if it has changed since.
  const subscription::Webhook* find(const subscription::WebhookVersion& version) const;
  /// By its id alone, if it is one that outsiders call (Dialect::takes_calls).
  const subscription::Webhook* find_called(const Ulid& id) const;

  /// Up to `count` webhooks older than `before` (nothing: the newest), newest first.
  std::vector<const subscription::Webhook*> list(std::string_view organization,
                                                 const std::optional<Ulid>& before,
                                                 size_t count) const;
  /// All webhooks of one group of a dialect (Dialect::group), oldest first.
  std::vector<const subscription::Webhook*> group(std::string_view organization,
                                                  std::string_view dialect,
                                                  std::string_view group) const;
  size_t count() const { return ids_.size(); }
  /// In step with the webhooks: enabling one clears its time.
  FailingTimes& failing() { return failing_; }
  /// In step with the webhooks, too.
  ReceiverNotes& receivers() { return receivers_; }
  const ReceiverNotes& receivers() const { return receivers_; }

  struct Published {
    uint64_t version = 0;
    std::vector<uint32_t> ended;  ///< Deleted, disabled or broken by it: nothing is sent any more.
    std::vector<uint32_t> changed;  ///< Made or changed by it, and not ended.
  };
  /// Shows all changes of the table since the last call, tokens' too, to the shards; nothing if
  /// there was no change.
  std::optional<Published> publish();

 private:
  using Key = std::pair<std::string, Ulid>;  // Organization and id: sorts by age within one.

  void put(subscription::Webhook webhook);
  void add_to_groups(const subscription::Webhook& webhook);
  void remove_from_groups(const subscription::Webhook& webhook);

  Store& store_;
  subscription::SubscriptionTable& table_;
  std::map<Key, uint32_t, std::less<>> ids_;
  std::map<Key, uint32_t, std::less<>> groups_;          // By a group's key and id.
  std::unordered_map<Ulid, uint32_t, UlidHash> called_;  // Outsiders call them; by Ulid::as_uuid.
  // What the table's current snapshot does not show yet. Empty: removed.
  std::unordered_map<uint32_t, std::optional<subscription::Webhook>> changed_;
  std::vector<uint32_t> ended_;
  FailingTimes failing_;
  ReceiverNotes receivers_;
};

}  // namespace ringpost::control
