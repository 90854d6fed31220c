#include "base/clock.h"

#include <cstdio>

namespace ringpost {

std::string to_rfc3339(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::microseconds>(time - day)};
  char text[40];
  const int size = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return {text, static_cast<size_t>(size)};
}

namespace {

/// Reads exactly `digits` decimal digits from the front of `text` and removes them.
std::optional<int> take_number(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (size_t index = 0; index < digits; ++index) {
    if (text[index] < '0' || text[index] > '9') return std::nullopt;
    value = value * 10 + (text[index] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// Reads `.123` as nanoseconds, the digits beyond them for nothing; no fraction is 0.
std::optional<int64_t> take_fraction_ns(std::string_view& text) {
  if (!take(text, ".")) return 0;
  int64_t ns = 0;
  size_t digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits) {
    if (digits < 9) ns = ns * 10 + (text.front() - '0');
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  for (; digits < 9; ++digits) ns *= 10;
  return ns;
}

/// Reads `Z` or `+hh:mm`, as the offset from UTC in minutes.
std::optional<int> take_offset_minutes(std::string_view& text) {
  if (take(text, "Zz")) return 0;
  const bool negative = text.starts_with('-');
  if (!take(text, "+-")) return std::nullopt;
  const auto hours = take_number(text, 2);
  if (!hours || *hours > 23 || !take(text, ":")) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  const int offset = *hours * 60 + *minutes;
  return negative ? -offset : offset;
}

/// A leap second is the last second of a month, by UTC (RFC 3339, 5.7).
bool is_leap_second(std::chrono::sys_seconds minute) {
  const auto next_minute = minute + std::chrono::minutes{1};
  const auto day = std::chrono::floor<std::chrono::days>(next_minute);
  return next_minute == day && std::chrono::year_month_day{day}.day() == std::chrono::day{1};
}

/// @param second  since 1970, of any year that has four digits.
WallTime clamped(std::chrono::sys_seconds second, int64_t fraction_ns) {
  constexpr auto first = std::chrono::ceil<std::chrono::seconds>(WallTime::min());
  constexpr auto last = std::chrono::floor<std::chrono::seconds>(WallTime::max());
  if (second < first) return WallTime::min();
  if (second >= last) return WallTime::max();
  return WallTime{second} + Duration{fraction_ns};
}

/// Of the character between date and time.
constexpr size_t separator_place = 10;

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || *year == 0 || !take(text, "-")) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59 || !take(text, ":")) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *second > 60) return std::nullopt;
  const auto fraction_ns = take_fraction_ns(text);
  if (!fraction_ns) return std::nullopt;
  const auto offset = take_offset_minutes(text);
  if (!offset || !text.empty()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  const std::chrono::sys_seconds begin = std::chrono::sys_days{date} + std::chrono::hours{*hour} +
                                         std::chrono::minutes{*minute - *offset};
  if (*second == 60 && !is_leap_second(begin)) return std::nullopt;
  return clamped(begin + std::chrono::seconds{*second}, *fraction_ns);
}

bool is_strict_rfc3339(std::string_view timestamp) {
  return timestamp.size() > separator_place && timestamp[separator_place] == 'T' &&
         !timestamp.ends_with('z');
}

void make_strict_rfc3339(std::string& timestamp) {
  if (timestamp.size() <= separator_place) return;
  timestamp[separator_place] = 'T';
  if (timestamp.back() == 'z') timestamp.back() = 'Z';
}

}  // namespace ringpost
