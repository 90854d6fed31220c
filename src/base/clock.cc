#include "base/clock.h"

#include <algorithm>
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

/// What a timestamp says.
struct Timestamp {
  std::chrono::sys_seconds second;  ///< A leap second is the second behind it.
  int64_t fraction_ns = 0;
};

std::optional<Timestamp> read_timestamp(std::string_view text) {
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
  return Timestamp{begin + std::chrono::seconds{*second}, *fraction_ns};
}

constexpr size_t separator_place = 10;  ///< Of the character between date and time.
constexpr size_t second_place = 17;
constexpr size_t fraction_place = 20;  ///< Of its first digit, if there is one.
constexpr size_t fraction_digits_max = 9;

size_t fraction_digits(std::string_view timestamp) {
  if (timestamp.size() < fraction_place || timestamp[fraction_place - 1] != '.') return 0;
  const size_t end = timestamp.find_first_not_of("0123456789", fraction_place);
  return std::min(end, timestamp.size()) - fraction_place;
}

constexpr std::chrono::sys_seconds calendar_begin =
    std::chrono::sys_days{std::chrono::year{1} / 1 / 1};
constexpr std::chrono::sys_seconds calendar_end =
    std::chrono::sys_days{std::chrono::year{9999} / 12 / 31} + std::chrono::seconds{86'399};

/// Whether it has an offset, and one beyond those of XML Schema, or one that leads out of the years
/// 1 to 9999.
bool needs_utc(std::string_view timestamp) {
  constexpr size_t offset_size = 6;
  if (timestamp.ends_with('Z') || timestamp.size() < offset_size) return false;
  if (timestamp.substr(timestamp.size() - offset_size + 1) > "14:00") return true;
  if (!timestamp.starts_with("9999") && !timestamp.starts_with("0001")) return false;
  const auto read = read_timestamp(timestamp);
  return read && (read->second < calendar_begin || read->second > calendar_end);
}

/// The same moment in UTC, or the nearest one of the years 1 to 9999.
void write_in_utc(std::string& timestamp) {
  const auto read = read_timestamp(timestamp);
  if (!read) return;
  const auto second = std::clamp(read->second, calendar_begin, calendar_end);
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{second - day};
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  const size_t digits = second == read->second ? fraction_digits(timestamp) : 0;
  const std::string fraction = digits == 0 ? "" : timestamp.substr(fraction_place - 1, digits + 1);
  timestamp = text + fraction + "Z";
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const auto read = read_timestamp(text);
  if (!read) return std::nullopt;
  return clamped(read->second, read->fraction_ns);
}

bool is_strict_rfc3339(std::string_view timestamp) {
  return timestamp.size() >= fraction_place && timestamp[separator_place] == 'T' &&
         !timestamp.ends_with('z') && timestamp[second_place] != '6' &&
         fraction_digits(timestamp) <= fraction_digits_max && !needs_utc(timestamp);
}

void make_strict_rfc3339(std::string& timestamp) {
  if (timestamp.size() < fraction_place) return;
  timestamp[separator_place] = 'T';
  if (timestamp.back() == 'z') timestamp.back() = 'Z';
  if (timestamp[second_place] == '6') timestamp.replace(second_place, 2, "59");
  if (const size_t digits = fraction_digits(timestamp); digits > fraction_digits_max) {
    timestamp.erase(fraction_place + fraction_digits_max, digits - fraction_digits_max);
  }
  if (needs_utc(timestamp)) write_in_utc(timestamp);
}

}  // namespace ringpost
