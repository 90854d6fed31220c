#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ringpost::index {

/// How long things took, counted in ranges of milliseconds: each below 8 ms alone, from there on
/// eight ranges between a number and its double. Counts stop at the largest number.
class LatencyHistogram {
 public:
  static constexpr size_t ranges_max = 240;

  struct Range {
    uint8_t number = 0;
    uint32_t count = 0;

    friend bool operator==(const Range&, const Range&) = default;
  };

  /// Which range has it. What is longer than 49 days is in the last one, what is negative (the
  /// clock was set back) in the first.
  static uint8_t range_of(Duration latency);

  void add(uint8_t range, uint32_t count = 1);
  void add(const LatencyHistogram& other);

  /// The latency, in milliseconds, that `percent` of all stay within: the middle of its range, so
  /// at most 6 % off. Nothing if nothing was counted.
  std::optional<uint64_t> percentile_ms(unsigned percent) const;
  /// By rising number; none is empty.
  std::span<const Range> ranges() const { return ranges_; }
  uint64_t memory_bytes() const { return ranges_.capacity() * sizeof(Range); }

  friend bool operator==(const LatencyHistogram&, const LatencyHistogram&) = default;

 private:
  std::vector<Range> ranges_;
};

/// What happened in a time, of one webhook or several.
struct Totals {
  uint64_t events = 0;     ///< Matched: deliveries that began.
  uint64_t delivered = 0;  ///< Deliveries that ended so; likewise `dead` and `cancelled`.
  uint64_t failed = 0;     ///< Attempts.
  uint64_t dead = 0;
  uint64_t cancelled = 0;
  LatencyHistogram latencies;  ///< Of what was delivered, from the acceptance of the event.

  void add(const Totals& other);
  friend bool operator==(const Totals&, const Totals&) = default;
};

/// Hours since 1970.
constexpr uint32_t hour_of(WallTime time) {
  constexpr int64_t hour_s = 3600;
  const int64_t seconds = to_unix_seconds(time);
  return seconds < 0 ? 0 : static_cast<uint32_t>(seconds / hour_s);
}
constexpr WallTime begin_of_hour(uint32_t hour) {
  return WallTime{std::chrono::hours(hour)};
}

/// From one hour on, and before another.
struct HourRange {
  uint32_t begin = 0;
  uint32_t end = 0;

  bool empty() const { return begin >= end; }
  bool has(uint32_t hour) const { return hour >= begin && hour < end; }
  bool meets(const HourRange& other) const {
    return !empty() && !other.empty() && begin < other.end && other.begin < end;
  }
  friend bool operator==(const HourRange&, const HourRange&) = default;
};

/// Of which webhook and hour totals are. Orders as index files have them.
struct TotalsKey {
  uint32_t webhook_number = 0;
  uint32_t hour = 0;

  friend auto operator<=>(const TotalsKey&, const TotalsKey&) = default;
};

}  // namespace ringpost::index
