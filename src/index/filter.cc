#include "index/filter.h"

#include "base/assert.h"
#include "base/uint128.h"

#include <bit>

namespace ringpost::index {

Filter::Filter(uint64_t keys) {
  const uint64_t bytes = (keys * bits_per_key + 7) / 8;
  bits_.resize((bytes + unit_bytes - 1) / unit_bytes * unit_bytes);
}

/// Proportional to the hash, so that halving the size halves the place: that makes it foldable.
size_t Filter::bit(uint64_t hash, uint32_t probe) const {
  const uint64_t turned = hash + probe * std::rotl(hash, 32);
  return static_cast<size_t>((static_cast<Uint128>(turned) * (bits_.size() * 8)) >> 64);
}

void Filter::add(uint64_t hash) {
  RINGPOST_ASSERT(!bits_.empty());
  for (uint32_t probe = 0; probe < probes; ++probe) {
    const size_t at = bit(hash, probe);
    bits_[at / 8] |= std::byte{1} << (at % 8);
  }
}

bool Filter::may_have(uint64_t hash) const {
  if (bits_.empty()) return false;
  for (uint32_t probe = 0; probe < probes; ++probe) {
    const size_t at = bit(hash, probe);
    if ((bits_[at / 8] & (std::byte{1} << (at % 8))) == std::byte{}) return false;
  }
  return true;
}

namespace {

/// Bit n of the result: bit 2n or 2n + 1 of `byte`.
unsigned halved(std::byte byte) {
  const auto bits = std::to_integer<unsigned>(byte | (byte >> 1));
  return (bits & 1) | (bits >> 1 & 2) | (bits >> 2 & 4) | (bits >> 3 & 8);
}

}  // namespace

void Filter::fold() {
  RINGPOST_ASSERT(can_fold());
  for (size_t at = 0; at < bits_.size() / 2; ++at) {
    bits_[at] = static_cast<std::byte>(halved(bits_[2 * at]) | halved(bits_[2 * at + 1]) << 4);
  }
  bits_.resize(bits_.size() / 2);
  bits_.shrink_to_fit();
}

}  // namespace ringpost::index
