#pragma once

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

}  // namespace ringpost::journal
