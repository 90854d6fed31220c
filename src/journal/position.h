#pragma once

#include <array>
#include <compare>
#include <cstdint>

namespace ringpost::journal {

/// Where a record begins: which shard's journal, which segment, which byte. Sorts in the order of
/// writing within one journal. 0 is no position (segments count from 1).
struct Position {
  static constexpr int offset_bits = 28;   // Segments are at most 256 MiB.
  static constexpr int segment_bits = 28;  // 268 million segments: 16 PiB of 64 MiB ones.
  static constexpr uint32_t journals_max = 256;

  uint64_t packed = 0;

  static constexpr Position make(uint32_t journal, uint32_t segment, uint32_t offset) {
    return {(uint64_t{journal} << (offset_bits + segment_bits)) |
            (uint64_t{segment} << offset_bits) | offset};
  }
  constexpr uint32_t journal() const {
    return static_cast<uint32_t>(packed >> (offset_bits + segment_bits));
  }
  constexpr uint32_t segment() const {
    return static_cast<uint32_t>(packed >> offset_bits) & ((1u << segment_bits) - 1);
  }
  constexpr uint32_t offset() const {
    return static_cast<uint32_t>(packed) & ((1u << offset_bits) - 1);
  }
  constexpr bool valid() const { return packed != 0; }

  friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

/// How far a journal is durable in the last segment that was written: what is remembered beside it
/// (journal_mark.h). Segment 0: nothing was written, or nobody knows.
struct Written {
  static constexpr uint32_t blocks_spared = 3;

  uint32_t segment = 0;
  uint32_t end = 0;  ///< Behind the last durable block; a multiple of page_bytes.
  /// Where the last `blocks_spared` blocks begin. That what is below it is gone stops a start; a
  /// cut behind it is a torn tail.
  uint32_t certain = 0;

  friend bool operator==(const Written&, const Written&) = default;
};

/// Where the last blocks of a segment begin, while it is written or read.
class LastBlocks {
 public:
  void add(uint32_t offset) { begins_[count_++ % Written::blocks_spared] = offset; }
  /// @param first  where the first block of a segment begins.
  uint32_t begin(uint32_t first) const {
    return count_ <= Written::blocks_spared ? first : begins_[count_ % Written::blocks_spared];
  }

 private:
  std::array<uint32_t, Written::blocks_spared> begins_{};
  uint64_t count_ = 0;
};

}  // namespace ringpost::journal
