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

/// Reads a timestamp as RFC 3339, 5.6 has it: years 0001 to 9999, any offset, any number of
/// fraction digits, a leap second where UTC can have one. `t`, `z` and a space instead of `T` are
/// read too (the notes there). Nothing else is accepted. Digits beyond nanoseconds are cut off, and
/// a time that WallTime cannot hold (before 1678, after 2261) is the nearest that it can.
std::optional<WallTime> parse_rfc3339(std::string_view text);

/// Whether a timestamp that parse_rfc3339 reads is spelled so that strict readers take it: with `T`
/// and `Z`, at most nine fraction digits (the most that Go and Java read), no leap second, an
/// offset of at most 14 hours (XML Schema), and in the years 1 to 9999 in UTC, too.
bool is_strict_rfc3339(std::string_view timestamp);
/// Spells it so: further digits are cut off, a leap second is the second before it, an offset that
/// is too large becomes UTC, and a time out of these years is the nearest one in them. Nothing else
/// changes.
void make_strict_rfc3339(std::string& timestamp);

}  // namespace ringpost
