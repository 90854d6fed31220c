#include "replica/checkpoint.h"

#include <utility>

namespace ringpost::replica {

void CheckpointReader::on_chunk(const BlockName& at, const CheckpointChunk& chunk,
                                const std::optional<ClaimName>& fence) {
  if (fence && chunk.head.claim < *fence) return;
  if (chunk.index == 0) {
    part_ = Checkpoint{chunk.head, {}, at};
    chunks_read_ = 0;
  }
  const bool follows = part_ && part_->head == chunk.head && chunk.index == chunks_read_ &&
                       part_->pending.size() + chunk.pending.size() <= pending_max;
  if (!follows) {
    part_.reset();
    return;
  }
  part_->pending.insert(part_->pending.end(), chunk.pending.begin(), chunk.pending.end());
  if (++chunks_read_ == chunk.head.chunk_count) whole_ = std::exchange(part_, std::nullopt);
}

}  // namespace ringpost::replica
