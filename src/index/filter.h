#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <vector>

namespace ringpost::index {

/// A well mixed 64-bit number from any (splitmix64's last step): what a Filter is asked with.
constexpr uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// A Bloom filter that can be folded to half its size: says of a key that it may be there, or that
/// it is not. With 10 bits for each key 1.7 % of those that are not there may be; folded once 9 %,
/// twice 34 %.
class Filter {
 public:
  static constexpr uint32_t bits_per_key = 10;
  static constexpr uint32_t unit_bytes = 64;  ///< Sizes are multiples of it, until folded.

  /// Without keys: nothing may be there.
  Filter() = default;
  /// @param keys  how many will be added at most.
  explicit Filter(uint64_t keys);
  /// From the bytes of another.
  explicit Filter(std::vector<std::byte> bytes) : bits_(std::move(bytes)) {}

  /// @param hash  of `mix`.
  void add(uint64_t hash);
  bool may_have(uint64_t hash) const;

  bool can_fold() const { return bits_.size() > 1 && bits_.size() % 2 == 0; }
  /// Halves the memory; what may have been there still may. Only if `can_fold`.
  void fold();

  Bytes bytes() const { return bits_; }

 private:
  static constexpr uint32_t probes = 3;

  size_t bit(uint64_t hash, uint32_t probe) const;

  std::vector<std::byte> bits_;
};

}  // namespace ringpost::index
