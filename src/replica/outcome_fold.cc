#include "replica/outcome_fold.h"

#include "base/assert.h"

#include <algorithm>
#include <cstddef>

namespace ringpost::replica {
namespace {

/// What an outcome that is not final changes.
void apply(const OutcomeFold::Fact& fact, PendingDelivery& delivery) {
  using Kind = OutcomeFold::Fact::Kind;
  if (fact.kind == Kind::failed && fact.attempt == 0) {
    delivery.attempts -= delivery.under_way && delivery.attempts > 0 ? 1 : 0;
    delivery.under_way = false;
    return;
  }
  if (fact.attempt < delivery.attempts || fact.attempt > PendingDelivery::attempts_max) return;
  delivery.attempts = fact.attempt;
  delivery.under_way = fact.kind == Kind::begun;
  if (!delivery.under_way) delivery.due = fact.due;
}

}  // namespace

DeliveryTag tag_of(const Ulid& delivery) {
  return load_le<DeliveryTag>(reinterpret_cast<const std::byte*>(&delivery.bytes[6]));
}

void OutcomeFold::on_event(const EventPlace& place, std::span<const Target> targets) {
  for (const Target& target : targets) {
    if (place_of_.contains(target.tag) || ended_.contains(target.tag)) continue;
    add({.event = place, .webhook_number = target.webhook_number, .tag = target.tag});
  }
}

void OutcomeFold::on_events_block(const BlockName& block) {
  through_ = block.offset + 1;
  through_epoch_ = block.epoch;
}

bool OutcomeFold::on_fence(const ClaimName& claim) {
  if (fence_ && claim < *fence_) return false;
  fence_ = claim;
  return true;
}

OutcomeFold::Verdict OutcomeFold::on_outcome(const ClaimName& claim, const Fact& fact) {
  const bool is_delivered = fact.kind == Fact::Kind::delivered;
  if (fence_ && claim < *fence_ && !is_delivered) return Verdict::void_;
  const auto found = place_of_.find(fact.tag);
  const bool known = found != place_of_.end();
  if (is_delivered || fact.kind == Fact::Kind::given_up) {
    end(fact.tag);
  } else if (known) {
    apply(fact, by_place_.at(found->second));
  }
  return known ? Verdict::counted : Verdict::ended;
}

uint64_t OutcomeFold::low_water_mark() const {
  return by_place_.empty() ? through_ : by_place_.begin()->first.event.offset;
}

std::vector<PendingDelivery> OutcomeFold::pending() const {
  std::vector<PendingDelivery> all;
  all.reserve(by_place_.size());
  for (const auto& [key, delivery] : by_place_) all.push_back(delivery);
  return all;
}

void OutcomeFold::restore(const CheckpointHead& head, std::span<const PendingDelivery> pending) {
  RINGPOST_ASSERT(by_place_.empty());
  fence_ = head.claim;
  through_ = head.through;
  through_epoch_ = head.through_epoch;
  for (const PendingDelivery& delivery : pending) {
    if (!place_of_.contains(delivery.tag)) add(delivery);
  }
}

std::vector<CheckpointChunk> OutcomeFold::checkpoint(const ClaimName& claim) const {
  const std::vector<PendingDelivery> all = pending();
  const size_t count =
      std::max<size_t>(1, (all.size() + pending_per_chunk_max - 1) / pending_per_chunk_max);
  const CheckpointHead head{.claim = claim,
                            .low_water_mark = low_water_mark(),
                            .through = through_,
                            .through_epoch = through_epoch_,
                            .chunk_count = static_cast<uint32_t>(count)};
  std::vector<CheckpointChunk> chunks;
  for (size_t index = 0; index < count; ++index) {
    const auto begin = all.begin() + static_cast<ptrdiff_t>(index * pending_per_chunk_max);
    const auto size = std::min<ptrdiff_t>(pending_per_chunk_max, all.end() - begin);
    chunks.push_back({head, static_cast<uint32_t>(index), {begin, begin + size}});
  }
  return chunks;
}

void OutcomeFold::add(const PendingDelivery& delivery) {
  const Key key{delivery.event, delivery.webhook_number};
  if (!by_place_.emplace(key, delivery).second) return;  // One event has a webhook once.
  place_of_.emplace(delivery.tag, key);
}

void OutcomeFold::end(DeliveryTag tag) {
  if (const auto found = place_of_.find(tag); found != place_of_.end()) {
    by_place_.erase(found->second);
    place_of_.erase(found);
  }
  remember_ended(tag);
}

void OutcomeFold::remember_ended(DeliveryTag tag) {
  if (!ended_.insert(tag).second) return;
  ended_order_.push_back(tag);
  if (ended_order_.size() <= ended_max) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

}  // namespace ringpost::replica
