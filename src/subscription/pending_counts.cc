#include "subscription/pending_counts.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/siphash.h"

#include <algorithm>
#include <functional>

namespace ringpost::subscription {

PendingCounts::PendingCounts()
    : blocks_(std::make_unique<std::atomic<Block*>[]>(block_count)),
      organizations_(std::make_unique<OrganizationCount[]>(organizations_max)) {}

PendingCounts::~PendingCounts() {
  for (size_t index = 0; index < block_count; ++index) delete blocks_[index].load();
}

namespace {

/// There is one writer: no read-modify-write is needed.
void change(std::atomic<uint32_t>& count, uint32_t by) {
  count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace

void PendingCounts::add(uint64_t organization_key, uint32_t webhook_number) {
  change(total_, 1);
  change(organization_count(organization_key).count, 1);
  change(webhook_count(webhook_number), 1);
}

void PendingCounts::subtract(uint64_t organization_key, uint32_t webhook_number) {
  RINGPOST_ASSERT(total() > 0);
  constexpr uint32_t minus_one = ~uint32_t{0};
  change(total_, minus_one);
  change(organization_count(organization_key).count, minus_one);
  change(webhook_count(webhook_number), minus_one);
}

PendingCounts::Count& PendingCounts::webhook_count(uint32_t webhook_number) {
  std::atomic<Block*>& block = blocks_[webhook_number / block_size % block_count];
  Block* found = block.load(std::memory_order_relaxed);
  if (found == nullptr) {
    found = new Block{};
    block.store(found, std::memory_order_release);
  }
  return (*found)[webhook_number % block_size];
}

uint32_t PendingCounts::of_webhook(uint32_t webhook_number) const {
  const Block* found = block(webhook_number / block_size % block_count);
  if (found == nullptr) return 0;
  return (*found)[webhook_number % block_size].load(std::memory_order_relaxed);
}

namespace {

/// Keeps the `count` with the most, in a heap whose front has the least of them.
void keep_most(std::vector<WebhookPending>& kept, size_t count, const WebhookPending& next) {
  constexpr auto more = [](const WebhookPending& left, const WebhookPending& right) {
    return left.pending > right.pending;
  };
  if (kept.size() == count) {
    if (next.pending <= kept.front().pending) return;
    std::ranges::pop_heap(kept, more);
    kept.pop_back();
  }
  kept.push_back(next);
  std::ranges::push_heap(kept, more);
}

}  // namespace

std::vector<WebhookPending> PendingCounts::most_pending(std::span<const PendingCounts> shards,
                                                        size_t count) {
  std::vector<WebhookPending> most;
  if (count == 0) return most;
  for (size_t index = 0; index < block_count; ++index) {
    const bool used = std::ranges::any_of(
        shards, [index](const PendingCounts& shard) { return shard.block(index) != nullptr; });
    for (size_t place = 0; used && place < block_size; ++place) {
      const auto number = static_cast<uint32_t>(index * block_size + place);
      WebhookPending webhook{number, 0};
      for (const PendingCounts& shard : shards) webhook.pending += shard.of_webhook(number);
      if (webhook.pending > 0) keep_most(most, count, webhook);
    }
  }
  std::ranges::sort(most, std::greater{}, &WebhookPending::pending);
  return most;
}

PendingCounts::OrganizationCount& PendingCounts::organization_count(uint64_t organization_key) {
  const size_t first = organization_key % organizations_max;
  for (size_t step = 0; step < organizations_max; ++step) {
    OrganizationCount& entry = organizations_[(first + step) % organizations_max];
    const uint64_t key = entry.key.load(std::memory_order_relaxed);
    if (key == organization_key) return entry;
    if (key != 0) continue;
    entry.key.store(organization_key, std::memory_order_relaxed);
    return entry;
  }
  return organizations_[first];
}

uint32_t PendingCounts::of_organization(uint64_t organization_key) const {
  const size_t first = organization_key % organizations_max;
  for (size_t step = 0; step < organizations_max; ++step) {
    const OrganizationCount& entry = organizations_[(first + step) % organizations_max];
    const uint64_t key = entry.key.load(std::memory_order_relaxed);
    if (key == organization_key) return entry.count.load(std::memory_order_relaxed);
    if (key == 0) return 0;
  }
  return organizations_[first].count.load(std::memory_order_relaxed);
}

uint64_t organization_key(std::string_view name) {
  constexpr HashKey key = {0x72696e67706f7374, 0x6f7267616e697a65};  // It guards nothing.
  return siphash(key, as_bytes(name)) | 1;
}

namespace {

/// What anybody may have, however little is free.
constexpr uint64_t share_min = 64;

/// The event's webhook with the most pending on the shard, if it may have no more.
std::optional<OverShare> over_share_of(const PendingCounts& shard, uint64_t free, uint64_t adding,
                                       uint64_t organization_key,
                                       std::span<const uint32_t> webhook_numbers) {
  OverShare most{.webhook_number = webhook_numbers.front()};
  for (const uint32_t number : webhook_numbers) {
    const uint32_t pending = shard.of_webhook(number);
    if (pending <= most.webhook_pending) continue;
    most.webhook_number = number;
    most.webhook_pending = pending;
  }
  most.organization_pending = shard.of_organization(organization_key);
  const uint64_t of_all = std::max<uint64_t>(free, share_min);
  most.whole_organization = most.organization_pending + adding > of_all;
  if (most.whole_organization) return most;
  const uint64_t of_organization =
      std::max<uint64_t>(of_all - most.organization_pending, share_min);
  if (most.webhook_pending <= of_organization) return std::nullopt;
  return most;
}

}  // namespace

std::optional<OverShare> over_share(std::span<const PendingCounts> shards, uint64_t pending_max,
                                    std::string_view organization,
                                    std::span<const uint32_t> webhook_numbers, uint64_t adding) {
  if (webhook_numbers.empty()) return std::nullopt;
  for (const PendingCounts& shard : shards) {
    const uint64_t total = shard.total() + adding;
    if (total < pending_max / 3) continue;  // Nobody can have too much.
    const uint64_t free = pending_max - std::min(total, pending_max);
    const auto over =
        over_share_of(shard, free, adding, organization_key(organization), webhook_numbers);
    if (over) return over;
  }
  return std::nullopt;
}

}  // namespace ringpost::subscription
