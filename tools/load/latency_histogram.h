#pragma once

#include "base/clock.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ringpost::load {

/// Durations with three significant digits, from 1 us to about a day: 1,024 buckets for each power
/// of two, as HdrHistogram lays them out. The relay's own histogram (base/histogram.h) has eight,
/// which is enough for an alarm and too coarse for a comparison.
class LatencyHistogram {
 public:
  LatencyHistogram();

  /// A negative duration counts as zero.
  void record(Duration duration);
  void add(const LatencyHistogram& other);
  void clear();

  uint64_t count() const { return count_; }
  Duration max() const { return max_; }  ///< Exact. Zero if nothing was recorded; as those below.
  Duration mean() const;
  Duration standard_deviation() const;
  /// The value below or at which this share of all is: 0.99 for p99. At most 0.1 % (and 1 us) too
  /// high, never above `max()`.
  Duration quantile(double share) const;
  /// The share of all that took longer than `limit`, to the bucket.
  double share_above(Duration limit) const;

  /// The percentiles that a plot needs: closer to each other the nearer they are to 1.
  struct Point {
    double share = 0;  ///< 0 to 1.
    Duration value{};
    uint64_t count = 0;  ///< Of values up to this one.
  };
  /// @param ticks_per_half  points for each halving of the distance to 1.
  std::vector<Point> points(uint32_t ticks_per_half = 5) const;

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  Duration max_{};
  double sum_us_ = 0;
  double squares_us_ = 0;
};

/// The percentile distribution as HdrHistogram's tools write and read it (`.hgrm`), in
/// milliseconds.
std::string to_hgrm(const LatencyHistogram& histogram);

}  // namespace ringpost::load
