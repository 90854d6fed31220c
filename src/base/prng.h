#pragma once

#include "base/assert.h"
#include "base/uint128.h"

#include <bit>
#include <cstdint>

namespace ringpost {

/// xoshiro256**: seeded pseudo-randomness for jitter, ids and simulation. Not for secrets: those
/// come from crypto/random.h.
class Prng {
 public:
  explicit Prng(uint64_t seed) {
    for (uint64_t& word : state_) {  // splitmix64, as the authors of xoshiro advise.
      seed += 0x9e3779b97f4a7c15;
      uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
      word = mixed ^ (mixed >> 31);
    }
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// Uniform in [0, bound); `bound` is at least 1.
  uint64_t below(uint64_t bound) {
    RINGPOST_ASSERT(bound > 0);
    return static_cast<uint64_t>((static_cast<Uint128>(next()) * bound) >> 64);
  }

  /// Uniform in [low, high].
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }

  /// True with probability `numerator / denominator`.
  bool chance(uint64_t numerator, uint64_t denominator) { return below(denominator) < numerator; }

 private:
  uint64_t state_[4];
};

}  // namespace ringpost
