#pragma once

#include "base/clock.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringpost {

/// How often something may happen, for each of very many keys: token buckets in a table of fixed
/// size (16 KiB), each as the one instant at which it is full again. One thread.
///
/// Keys share sets of four places. Where one is full, the bucket that is nearest to being full
/// goes: so a stranger that comes with many keys shortens others' memory, and never grows ours.
class KeyedLimiter {
 public:
  struct Options {
    uint32_t burst = 1;   ///< How often at once, at least 1.
    Duration interval{};  ///< And then once in this time.
  };

  explicit KeyedLimiter(const Options& options) : options_(options), sets_(set_count) {}

  /// How long until one more is within the limit; zero: it is.
  /// @param key  well spread already: a keyed hash.
  Duration wait(uint64_t key, Instant now) const {
    for (const Bucket& bucket : sets_[key % set_count]) {
      if (bucket.key == key) {
        return std::max(Duration{},
                        bucket.full_at - now - options_.interval * (options_.burst - 1));
      }
    }
    return {};
  }

  /// Whether nothing is counted against `key`, by what is remembered.
  bool idle(uint64_t key, Instant now) const {
    return std::ranges::none_of(sets_[key % set_count], [&](const Bucket& bucket) {
      return bucket.key == key && bucket.full_at > now;
    });
  }

  /// Counts one, whether or not it was within the limit. (Past the limit nobody needs to: it would
  /// only make the wait longer.)
  void take(uint64_t key, Instant now) { take(key, now, options_.interval); }
  /// Counts one that is worth as much as `amount`, where one is worth the interval.
  void take(uint64_t key, Instant now, Duration amount) {
    auto& set = sets_[key % set_count];
    auto bucket =
        std::find_if(set.begin(), set.end(), [key](const Bucket& one) { return one.key == key; });
    if (bucket == set.end()) {
      bucket = std::min_element(
          set.begin(), set.end(),
          [](const Bucket& left, const Bucket& right) { return left.full_at < right.full_at; });
      *bucket = {.key = key, .full_at = now};
    }
    bucket->full_at = std::max(bucket->full_at, now) + amount;
  }

 private:
  struct Bucket {
    uint64_t key = 0;
    Instant full_at{};
  };
  static constexpr size_t set_count = 256;

  Options options_;
  std::vector<std::array<Bucket, 4>> sets_;
};

}  // namespace ringpost
