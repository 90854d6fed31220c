#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ringpost::subscription {

struct WebhookPending {
  uint32_t webhook_number = 0;
  uint32_t pending = 0;
};

/// How many deliveries of one shard are pending: in all, of each organization and of each webhook.
///
/// Thread safety: the shard writes, everyone reads (relaxed: each count is right, two need not be
/// of one instant). Memory: 4 bytes for each webhook that ever had a pending delivery, in blocks of
/// 64 KiB, and 16 bytes for each organization.
class PendingCounts {
 public:
  PendingCounts();
  ~PendingCounts();

  void add(uint64_t organization_key, uint32_t webhook_number);
  void subtract(uint64_t organization_key, uint32_t webhook_number);

  uint32_t total() const { return total_.load(std::memory_order_relaxed); }
  uint32_t of_organization(uint64_t organization_key) const;
  uint32_t of_webhook(uint32_t webhook_number) const;

  /// The webhooks with the most pending deliveries on all shards together, at most `count`, the
  /// most first; only such as have any. Looks at every webhook that ever had one: about a
  /// millisecond for a million.
  static std::vector<WebhookPending> most_pending(std::span<const PendingCounts> shards,
                                                  size_t count);

 private:
  using Count = std::atomic<uint32_t>;
  static constexpr size_t block_size = 16'384;
  static constexpr size_t block_count = 4096;  ///< Numbers up to 67 million; beyond they share.
  using Block = std::array<Count, block_size>;
  /// One that was never added to has no key. Where the table is full, organizations share counts.
  struct OrganizationCount {
    std::atomic<uint64_t> key{0};
    Count count{0};
  };
  static constexpr size_t organizations_max = 4096;

  Count& webhook_count(uint32_t webhook_number);
  const Block* block(size_t index) const { return blocks_[index].load(std::memory_order_acquire); }
  OrganizationCount& organization_count(uint64_t organization_key);

  Count total_{0};
  const std::unique_ptr<std::atomic<Block*>[]> blocks_;
  const std::unique_ptr<OrganizationCount[]> organizations_;
};

/// The key of an organization in PendingCounts; never 0.
uint64_t organization_key(std::string_view name);

/// Who has more than a fair share of what may be pending.
struct OverShare {
  uint32_t webhook_number = 0;  ///< Of the event's webhooks the one with the most pending.
  uint32_t webhook_pending = 0;
  uint32_t organization_pending = 0;
  bool whole_organization = false;  ///< Not only this webhook: what all its webhooks may have.
};

/// Whether an event of the organization for these webhooks has to be refused: of `pending_max` on
/// each shard an organization may have as much as it leaves free, and a webhook as much as its
/// organization leaves of that. So there is always room for whoever has little pending, however
/// many have much (dynamic thresholds: Choudhury and Hahne, 1998); alone, one webhook gets a third
/// and one organization half; anybody may have 64.
/// @param adding  deliveries that the same request brought before, and that are not counted yet.
/// @returns nothing: it may be taken.
std::optional<OverShare> over_share(std::span<const PendingCounts> shards, uint64_t pending_max,
                                    std::string_view organization,
                                    std::span<const uint32_t> webhook_numbers, uint64_t adding);

}  // namespace ringpost::subscription
