#pragma once

#include "subscription/directory.h"
#include "subscription/event_rule.h"
#include "subscription/git_source.h"
#include "subscription/pointer_table.h"
#include "subscription/source_table.h"
#include "subscription/token.h"
#include "subscription/webhook.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::subscription {

/// What is looked up for one event.
struct EventKey {
  /// Names of the source besides its own; more are not looked up.
  static constexpr size_t aliases_max = 4;

  std::string_view organization;
  std::string_view source;
  std::string_view type;
  /// Other names of the source, by which webhooks may know it (a pipeline's id beside its slug).
  std::span<const std::string> aliases{};
};

/// One state of all subscriptions, tokens and git sources. Never changes once published.
///
/// Made, published and freed by SubscriptionTable only. Pointers that it hands out live as long as
/// the snapshot does for this reader (until its next `quiescent` or `offline`).
class Snapshot final {
 public:
  /// Grows by one with each publish; the first, empty one is 0.
  uint64_t version() const { return version_; }

  /// Appends the active webhooks whose sources and events name the event's, each once, by rising
  /// number. What those with a rule ask of it besides is not asked yet. Allocates only if `out` has
  /// to grow.
  void match(const EventKey& key, std::vector<const Webhook*>& out) const;

  /// By number; nullptr if there is none (deleted). Also disabled and broken ones.
  const Webhook* webhook(uint32_t number) const {
    const Place place{hash_of_number(number)};
    return webhooks_[place.sub_table].find(
        place, [number](const Webhook& webhook) { return webhook.number == number; });
  }

  /// By the SHA-256 of its text; nullptr if there is none. Expired ones are found too. The place in
  /// the table depends on a part of the hash, which whoever guesses cannot steer towards a token's;
  /// the whole hash is compared in constant time.
  const Token* token(const std::array<uint8_t, 32>& sha256) const {
    const Place place{hash_of_sha256(sha256)};
    return tokens_[place.sub_table].find(
        place, [&sha256](const Token& token) { return token.has_hash(sha256); });
  }

  /// By the SHA-256 of its path's token, as `token`; nullptr if there is none. Also disabled ones.
  const GitSource* git_source(const std::array<uint8_t, 32>& sha256) const {
    const Place place{hash_of_sha256(sha256)};
    return git_sources_[place.sub_table].find(
        place, [&sha256](const GitSource& source) { return source.has_hash(sha256); });
  }

  size_t webhook_count() const { return webhook_count_; }
  size_t token_count() const { return token_count_; }
  /// Webhooks with a rule.
  size_t rule_count() const { return rule_count_; }

  /// Calls `visit(const Webhook&)` for every webhook, in no particular order.
  template <typename Visitor>
  void for_each_webhook(const Visitor& visit) const {
    for (uint32_t sub_table = 0; sub_table < sub_table_count; ++sub_table) {
      webhooks_[sub_table].for_each([&](const Webhook* webhook) { visit(*webhook); });
    }
  }

 private:
  friend class SubscriptionTable;

  explicit Snapshot(const KeyedHash& hash) : hash_(&hash) {}
  Snapshot(const Snapshot&) = default;

  const KeyedHash* hash_;  ///< The table's; outlives every snapshot.
  uint64_t version_ = 0;
  size_t webhook_count_ = 0;
  size_t token_count_ = 0;
  size_t rule_count_ = 0;
  Directory<SourceTable> sources_;
  Directory<PointerTable<Webhook>> webhooks_;
  Directory<PointerTable<Token>> tokens_;
  Directory<PointerTable<GitSource>> git_sources_;
};

}  // namespace ringpost::subscription
