#pragma once

#include "base/ulid.h"
#include "replica/record.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ringpost::replica {

DeliveryTag tag_of(const Ulid& delivery);

/// What is pending in a partition: its EVENTs minus its final OUTCOMEs. A fold over both topics;
/// `events` is to be read first as far as it goes, then `outcomes`.
///
/// Deliveries are known by their tags, not by where their events lie: after a rollback another
/// event may lie there, and the same event elsewhere.
///
/// Memory: about 150 bytes for each pending delivery, as many as ingest lets in, and
/// `ended_max` tags of what ended.
class OutcomeFold {
 public:
  /// Final outcomes that are remembered, so that an event that is read again stays settled. What
  /// is forgotten costs a repeated delivery at most.
  static constexpr size_t ended_max = 16 * 1024;

  /// One webhook of an event.
  struct Target {
    uint32_t webhook_number = 0;
    DeliveryTag tag = 0;
  };

  /// An OUTCOME's facts, from the journal's record.
  struct Fact {
    enum class Kind : uint8_t {
      begun,      ///< An attempt is under way.
      failed,     ///< It failed; another one is due. With attempt 0: it never began.
      delivered,  ///< Final, and true whoever says it.
      given_up,   ///< Final: dead or cancelled.
    };

    Kind kind{};
    DeliveryTag tag = 0;
    uint32_t attempt = 0;
    WallTime due{};  ///< Of the next attempt, if `failed`.
  };

  enum class Verdict : uint8_t {
    counted,
    void_,  ///< Of a claim that is older than the FENCE before it.
    ended,  ///< About a delivery that had ended, or that nothing is known of.
  };

  /// @param first  offset of `events` at which reading begins; all below it is settled.
  explicit OutcomeFold(uint64_t first = 0) : through_(first) {}

  // --- events ---

  void on_event(const EventPlace& place, std::span<const Target> targets);
  /// All records of the block were given.
  void on_events_block(const BlockName& block);

  // --- outcomes ---

  /// @returns whether it is the highest so far. A lower one is void.
  bool on_fence(const ClaimName& claim);
  Verdict on_outcome(const ClaimName& claim, const Fact& fact);

  // --- state ---

  const std::optional<ClaimName>& fence() const { return fence_; }
  /// The first offset of `events` that is not settled.
  uint64_t low_water_mark() const;
  /// Behind the last block of `events` that was given.
  uint64_t through() const { return through_; }
  size_t pending_count() const { return by_place_.size(); }
  bool is_pending(DeliveryTag tag) const { return place_of_.contains(tag); }
  /// In the order of the log.
  std::vector<PendingDelivery> pending() const;

  // --- checkpoints ---

  /// All that is pending, in chunks that fit into blocks. They are appended one after the other,
  /// without an OUTCOME of this owner between them.
  std::vector<CheckpointChunk> checkpoint(const ClaimName& claim) const;
  /// Begins with a checkpoint, instead of what came before it. Only as the first call.
  void restore(const CheckpointHead& head, std::span<const PendingDelivery> pending);

 private:
  struct Key {
    EventPlace event;
    uint32_t webhook_number = 0;

    friend auto operator<=>(const Key&, const Key&) = default;
  };

  void add(const PendingDelivery& delivery);
  void end(DeliveryTag tag);
  void remember_ended(DeliveryTag tag);

  std::optional<ClaimName> fence_;
  uint64_t through_;
  uint32_t through_epoch_ = 0;
  std::map<Key, PendingDelivery> by_place_;
  std::unordered_map<DeliveryTag, Key> place_of_;
  std::unordered_set<DeliveryTag> ended_;
  std::deque<DeliveryTag> ended_order_;
};

}  // namespace ringpost::replica
