#include "delivery/retry.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace ringpost::delivery {
namespace {

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.front() == '-') {
    return std::nullopt;
  }
  return value;
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7); the obsolete forms are not read.
std::optional<WallTime> parse_http_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") {
    return std::nullopt;
  }
  const auto month = std::ranges::find(months, text.substr(8, 3));
  const auto day = number(text.substr(5, 2));
  const auto year = number(text.substr(12, 4));
  const auto hour = number(text.substr(17, 2));
  const auto minute = number(text.substr(20, 2));
  const auto second = number(text.substr(23, 2));
  if (month == months.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year{*year},
      std::chrono::month{static_cast<unsigned>(month - months.begin() + 1)},
      std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year > 2200 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return WallTime{std::chrono::sys_days{date}} + std::chrono::hours{*hour} +
         std::chrono::minutes{*minute} + std::chrono::seconds{*second};
}

}  // namespace

std::optional<Duration> parse_retry_after(std::string_view value, WallTime now) {
  if (value.empty()) return std::nullopt;
  if (std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
    const auto seconds = number(value);
    if (!seconds) return retry_after_max;  // More digits than an int holds: as long as we allow.
    return std::min<Duration>(std::chrono::seconds{*seconds}, retry_after_max);
  }
  const auto date = parse_http_date(value);
  if (!date) return std::nullopt;
  return std::clamp<Duration>(*date - now, Duration::zero(), retry_after_max);
}

std::optional<Duration> next_delay(std::span<const uint32_t> schedule_s, uint32_t attempt,
                                   std::optional<Duration> retry_after, Prng& random) {
  if (attempt == 0 || attempt > schedule_s.size()) return std::nullopt;
  const Duration planned = std::chrono::seconds{schedule_s[attempt - 1]};
  const auto ns = static_cast<uint64_t>(planned.count());
  const Duration spread{static_cast<int64_t>(random.between(ns - ns / 4, ns + ns / 4))};
  return std::max(spread, retry_after.value_or(Duration::zero()));
}

Duration longest_delay(std::span<const uint32_t> schedule_s, uint32_t attempt) {
  if (attempt == 0 || attempt > schedule_s.size()) return retry_after_max;
  const Duration planned = std::chrono::seconds{schedule_s[attempt - 1]};
  return std::max(planned + planned / 4, retry_after_max);
}

}  // namespace ringpost::delivery
