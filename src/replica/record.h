#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "replica/block.h"

#include <cstdint>
#include <optional>
#include <vector>

// The payloads of the cluster's records. Byte tables: src/replica/README.md. Each has a head of
// fixed size; a later release may append to a head that ends its record, and older readers ignore
// that.

namespace ringpost::replica {

/// A CLAIM is known by where it lies: its leader epoch and offset, as read back.
using ClaimName = BlockName;

/// "I want to own this partition."
struct Claim {
  Writer writer;
  uint32_t attempt = 0;  ///< Counts the claims of this writer on this partition.

  friend bool operator==(const Claim&, const Claim&) = default;
};

/// "I own it still, and all events below the mark are settled."
struct Renew {
  ClaimName claim;
  uint64_t low_water_mark = 0;  ///< All outcomes below it were acknowledged before this was sent.
  /// By the monotonic clock of the writer, when the record was made: it means something to this run
  /// of the writer only. A block that is sent again keeps it.
  Instant sent_at{};
  /// Of the last block of `events` that the writer had read. If this lands in another one, the log
  /// may have lost its tail meanwhile, and the mark says nothing.
  uint32_t read_epoch = 0;

  friend bool operator==(const Renew&, const Renew&) = default;
};

/// "I start nothing more under this claim."
struct Release {
  ClaimName claim;

  friend bool operator==(const Release&, const Release&) = default;
};

/// "What older claims write behind this is void, except that something was delivered."
struct Fence {
  ClaimName claim;

  friend bool operator==(const Fence&, const Fence&) = default;
};

/// An OUTCOME of the journal, and under which claim it was written.
struct ClaimedOutcome {
  ClaimName claim;
  Bytes outcome;  ///< The journal's payload, a view.
};

/// Where an EVENT lies in its partition: the block's offset, and the record's place in the block.
struct EventPlace {
  static constexpr uint64_t offset_max = (uint64_t{1} << 40) - 1;

  uint64_t offset = 0;
  uint16_t ordinal = 0;

  /// The lower 56 bits of a journal position.
  uint64_t packed() const { return offset << 16 | ordinal; }
  static EventPlace unpack(uint64_t packed) {
    return {packed >> 16 & offset_max, static_cast<uint16_t>(packed)};
  }

  friend auto operator<=>(const EventPlace&, const EventPlace&) = default;
};

/// The hash in a delivery's id (bytes 6 to 13): the same event and webhook have the same, wherever
/// the event lies.
using DeliveryTag = uint64_t;

/// A delivery that has not ended.
struct PendingDelivery {
  static constexpr uint32_t attempts_max = (1u << 31) - 1;

  EventPlace event;
  uint32_t webhook_number = 0;
  uint32_t attempts = 0;   ///< Begun so far, at most attempts_max.
  bool under_way = false;  ///< The last of them has begun and not ended.
  WallTime due{};          ///< Of the next attempt; the epoch: at once.
  DeliveryTag tag = 0;

  friend bool operator==(const PendingDelivery&, const PendingDelivery&) = default;
};

/// What all chunks of one checkpoint have in common.
struct CheckpointHead {
  ClaimName claim;
  uint64_t low_water_mark = 0;
  /// The checkpoint speaks of the events below this offset; reading goes on there.
  uint64_t through = 0;
  /// Leader epoch of the block just below `through` (0 if that is 0). If another block is there
  /// now, the partition was rolled back behind the checkpoint, which must not be used.
  uint32_t through_epoch = 0;
  uint32_t chunk_count = 0;

  friend bool operator==(const CheckpointHead&, const CheckpointHead&) = default;
};

struct CheckpointChunk {
  CheckpointHead head;
  uint32_t index = 0;
  std::vector<PendingDelivery> pending;

  friend bool operator==(const CheckpointChunk&, const CheckpointChunk&) = default;
};

/// How far a partition is settled, for those that begin to read it.
struct Settled {
  ClaimName claim;
  uint64_t low_water_mark = 0;
  /// The RENEW that made the mark firm. If another block is there now, the partition was rolled
  /// back behind it, and the mark may be too high.
  BlockName witness;
  /// First chunk of the last whole checkpoint, in `outcomes`.
  std::optional<BlockName> checkpoint;

  friend bool operator==(const Settled&, const Settled&) = default;
};

/// In a relay's own journal: all events below this position are acknowledged by the engine.
struct Forwarded {
  uint64_t position = 0;  ///< A packed journal position.

  friend bool operator==(const Forwarded&, const Forwarded&) = default;
};

inline constexpr uint32_t claimed_outcome_head_bytes = 16;
inline constexpr uint32_t checkpoint_head_bytes = 48;
inline constexpr uint32_t pending_delivery_bytes = 32;
/// As many as fit into a block.
inline constexpr uint32_t pending_per_chunk_max =
    (block_bytes_max - block_header_bytes - record_header_bytes - checkpoint_head_bytes) /
    pending_delivery_bytes;

std::vector<std::byte> encode(const Claim& claim);
std::vector<std::byte> encode(const Renew& renew);
std::vector<std::byte> encode(const Release& release);
std::vector<std::byte> encode(const Fence& fence);
std::vector<std::byte> encode(const ClaimedOutcome& outcome);
/// @param chunk  with at most pending_per_chunk_max.
std::vector<std::byte> encode(const CheckpointChunk& chunk);
std::vector<std::byte> encode(const Settled& settled);
std::vector<std::byte> encode(const Forwarded& forwarded);

// All of these return the Error of Fault::payload_short or Fault::payload_value.

Result<Claim> decode_claim(Bytes payload);
Result<Renew> decode_renew(Bytes payload);
Result<Release> decode_release(Bytes payload);
Result<Fence> decode_fence(Bytes payload);
/// The view points into `payload`.
Result<ClaimedOutcome> decode_outcome(Bytes payload);
Result<CheckpointChunk> decode_checkpoint(Bytes payload);
Result<Settled> decode_settled(Bytes payload);
Result<Forwarded> decode_forwarded(Bytes payload);

}  // namespace ringpost::replica
