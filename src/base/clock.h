#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost {

using Duration = std::chrono::nanoseconds;

/// The monotonic clock, for durations and deadlines. It has no `now()`: only io::Ring reads it, so
/// that a simulated ring can replace it.
struct MonotonicClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

/// The wall clock, for people, signatures and certificates only. Also read only through io::Ring.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// Nanoseconds since 1970-01-01T00:00:00Z, as stored in the journal.
constexpr int64_t to_unix_ns(WallTime time) {
  return time.time_since_epoch().count();
}
constexpr int64_t to_unix_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}
constexpr WallTime from_unix_ns(int64_t ns) {
  return WallTime{Duration{ns}};
}

/// RFC 3339, UTC, six fraction digits: `2031-05-04T09:08:07.123456Z`.
std::string to_rfc3339(WallTime time);

/// Reads RFC 3339 with any offset and up to nine fraction digits. Nothing else is accepted.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace ringpost
