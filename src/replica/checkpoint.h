#pragma once

#include "replica/record.h"

#include <optional>
#include <vector>

namespace ringpost::replica {

/// Puts the chunks of a checkpoint together, as they are read from `outcomes`.
class CheckpointReader {
 public:
  /// A limit for what a takeover reads into memory: 4,194,304 deliveries, 128 MiB.
  static constexpr size_t pending_max = 4 * 1024 * 1024;

  struct Checkpoint {
    CheckpointHead head;
    std::vector<PendingDelivery> pending;
    BlockName at;  ///< Its first chunk.
  };

  /// @param fence  the highest FENCE before the chunk: what an older claim wrote is void.
  void on_chunk(const BlockName& at, const CheckpointChunk& chunk,
                const std::optional<ClaimName>& fence);

  /// The last one that is whole.
  const std::optional<Checkpoint>& whole() const { return whole_; }

 private:
  std::optional<Checkpoint> part_;
  uint32_t chunks_read_ = 0;
  std::optional<Checkpoint> whole_;
};

}  // namespace ringpost::replica
