#pragma once

#include "base/clock.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace ringpost {

/// Latencies from 1 us to 9 minutes in log-linear buckets: eight per power of two, so that a
/// quantile is at most 12.5 % too high. Two kilobytes, no allocation.
///
/// Thread safety: one thread records, anyone reads (relaxed, as Counters).
class Histogram {
 public:
  static constexpr size_t bucket_count = 27 * 8;

  void record(Duration duration) {
    auto& bucket = shared_[bucket_of(duration)];
    bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    const Duration sum = shared_sum_.load(std::memory_order_relaxed);
    shared_sum_.store(sum + std::max(duration, Duration::zero()), std::memory_order_relaxed);
  }

  /// Of all that was recorded.
  Duration sum() const { return shared_sum_.load(std::memory_order_relaxed); }

  using Buckets = std::array<uint64_t, bucket_count>;

  /// Adds this histogram's counts to `sums`: several shards make one picture.
  void add_to(Buckets& sums) const {
    for (size_t index = 0; index < bucket_count; ++index) {
      sums[index] += shared_[index].load(std::memory_order_relaxed);
    }
  }

  /// The upper bound of the bucket that holds the quantile `per_mille` (500: the median, 990: p99);
  /// zero if nothing was recorded.
  static Duration quantile(const Buckets& buckets, uint32_t per_mille) {
    uint64_t total = 0;
    for (uint64_t count : buckets) total += count;
    if (total == 0) return Duration::zero();
    uint64_t left = (total * per_mille + 999) / 1000;
    for (size_t index = 0; index < bucket_count; ++index) {
      if (buckets[index] >= left) return upper_bound(index);
      left -= buckets[index];
    }
    return upper_bound(bucket_count - 1);
  }

  /// What the bucket holds is shorter than this; the last bucket holds all that is longer, too.
  static Duration upper_bound(size_t index) {
    if (index < 8) return std::chrono::microseconds{index + 1};
    const size_t power = index / 8 + 2;
    const uint64_t us = (uint64_t{8} + index % 8 + 1) << (power - 3);
    return std::chrono::microseconds{us};
  }

 private:
  static size_t bucket_of(Duration duration) {
    const int64_t us = duration.count() / 1000;
    if (us < 8) return us < 0 ? 0 : static_cast<size_t>(us);
    const auto value = static_cast<uint64_t>(us);
    const auto power = static_cast<size_t>(std::bit_width(value)) - 1;  // At least 3.
    const size_t index = (power - 2) * 8 + ((value >> (power - 3)) & 7);
    return index < bucket_count ? index : bucket_count - 1;
  }

  std::array<std::atomic<uint64_t>, bucket_count> shared_{};
  std::atomic<Duration> shared_sum_{Duration::zero()};
};

}  // namespace ringpost
