#pragma once

#include "base/bytes.h"
#include "base/siphash.h"
#include "base/uint128.h"
#include "subscription/patterns.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace ringpost::subscription {

/// The hash of the source table: NH (RFC 4418, 5.2.2) with 64-bit words, each position with a
/// different secret word, then one keyed multiplication to spread the bits.
///
/// Why not SipHash: an event costs three hashes; they take 50 ns with SipHash-2-4 and 13 ns here,
/// where the whole lookup takes about 60 (src/subscription/README.md). NH keeps what is needed of
/// it: for any two keys that an outsider can name, the sums collide with a chance of at most 2^-64
/// over the choice of the secret, which is drawn at start. Keys are compared in full in any case.
class KeyedHash {
 public:
  /// What the hashes of one organization share.
  struct Organization {
    Uint128 sum = 0;
    uint64_t size = 0;
  };

  explicit KeyedHash(const HashKey& secret);

  /// @param name  at most `organization_bytes_max` bytes.
  Organization organization(std::string_view name) const {
    return {.sum = sum(organization_words_.data(), name), .size = name.size()};
  }

  /// @param source  at most `source_bytes_max` bytes.
  uint64_t hash(const Organization& organization, std::string_view source) const {
    Uint128 total = organization.sum + sum(source_words_.data(), source);
    // The sizes are a block like any other, so that padding cannot make two texts equal.
    total += multiply(organization.size + last_words_[0], source.size() + last_words_[1]);
    const uint64_t low = static_cast<uint64_t>(total) ^ last_words_[2];
    const uint64_t high = static_cast<uint64_t>(total >> 64) ^ last_words_[3];
    const Uint128 spread = multiply(low, high);
    return static_cast<uint64_t>(spread) ^ static_cast<uint64_t>(spread >> 64);
  }

 private:
  static Uint128 multiply(uint64_t left, uint64_t right) {
    return static_cast<Uint128>(left) * right;
  }

  template <typename Word>
  static uint64_t load(const char* from) {
    return load_le<Word>(reinterpret_cast<const std::byte*>(from));
  }

  /// Sixteen bytes a step. The last step reads words that may overlap: together with the size they
  /// still tell the bytes apart.
  static Uint128 sum(const uint64_t* words, std::string_view text) {
    const char* at = text.data();
    size_t left = text.size();
    Uint128 total = 0;
    for (; left >= 16; left -= 16, at += 16, words += 2) {
      total += multiply(load<uint64_t>(at) + words[0], load<uint64_t>(at + 8) + words[1]);
    }
    if (left == 0) return total;
    uint64_t first = 0;
    uint64_t second = 0;
    if (left >= 8) {
      first = load<uint64_t>(at);
      second = load<uint64_t>(at + left - 8);
    } else if (left >= 4) {
      first = load<uint32_t>(at);
      second = load<uint32_t>(at + left - 4);
    } else {
      first = load<uint8_t>(at) | load<uint8_t>(at + left / 2) << 8;
      second = load<uint8_t>(at + left - 1);
    }
    return total + multiply(first + words[0], second + words[1]);
  }

  std::array<uint64_t, 4> last_words_;
  std::array<uint64_t, source_bytes_max / 8> source_words_;
  std::array<uint64_t, organization_bytes_max / 8> organization_words_;
};

static_assert(source_bytes_max % 16 == 0, "a secret word for every word of a block");
static_assert(organization_bytes_max % 16 == 0, "a secret word for every word of a block");

}  // namespace ringpost::subscription
