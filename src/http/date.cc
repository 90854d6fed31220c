#include "http/date.h"

#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace ringpost::http {
namespace {

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> long_days{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};

void write_two_digits(char* to, unsigned value) {
  to[0] = static_cast<char>('0' + value / 10 % 10);
  to[1] = static_cast<char>('0' + value % 10);
}

/// The parts of a date as they stand in its text.
struct Parts {
  int year = 0;
  unsigned month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

/// Takes one part after the other from the front of a text. What does not fit fails all that
/// follows.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  Reader& literal(std::string_view wanted) {
    good_ = good_ && rest_.starts_with(wanted);
    return skip(wanted.size());
  }
  Reader& digits(size_t count, int& value) {
    good_ = good_ && rest_.size() >= count;
    value = 0;
    for (size_t index = 0; good_ && index < count; ++index) {
      good_ = is_digit(rest_[index]);
      value = value * 10 + (rest_[index] - '0');
    }
    return skip(count);
  }
  /// Two digits, or a space and one (asctime's day).
  Reader& padded(int& value) {
    return rest_.starts_with(' ') ? skip(1).digits(1, value) : digits(2, value);
  }
  Reader& one_of(const auto& names, unsigned& index) {
    const auto found =
        std::ranges::find_if(names, [this](auto name) { return rest_.starts_with(name); });
    good_ = good_ && found != names.end();
    index = static_cast<unsigned>(found - names.begin());
    return good_ ? skip(found->size()) : *this;
  }
  Reader& day_name(const auto& names) {
    unsigned index = 0;
    return one_of(names, index);
  }
  Reader& time_of_day(Parts& parts) {
    return digits(2, parts.hour)
        .literal(":")
        .digits(2, parts.minute)
        .literal(":")
        .digits(2, parts.second);
  }

  /// Whether all parts were there, and nothing behind them.
  bool whole() const { return good_ && rest_.empty(); }

 private:
  Reader& skip(size_t count) {
    if (good_) rest_.remove_prefix(count);
    return *this;
  }

  std::string_view rest_;
  bool good_ = true;
};

bool read_fixdate(std::string_view text, Parts& parts) {
  return Reader{text}
      .day_name(days)
      .literal(", ")
      .digits(2, parts.day)
      .literal(" ")
      .one_of(months, parts.month)
      .literal(" ")
      .digits(4, parts.year)
      .literal(" ")
      .time_of_day(parts)
      .literal(" GMT")
      .whole();
}

bool read_asctime(std::string_view text, Parts& parts) {
  return Reader{text}
      .day_name(days)
      .literal(" ")
      .one_of(months, parts.month)
      .literal(" ")
      .padded(parts.day)
      .literal(" ")
      .time_of_day(parts)
      .literal(" ")
      .digits(4, parts.year)
      .whole();
}

/// Leaves two digits as the year.
bool read_rfc850(std::string_view text, Parts& parts) {
  return Reader{text}
      .day_name(long_days)
      .literal(", ")
      .digits(2, parts.day)
      .literal("-")
      .one_of(months, parts.month)
      .literal("-")
      .digits(2, parts.year)
      .literal(" ")
      .time_of_day(parts)
      .literal(" GMT")
      .whole();
}

std::optional<WallTime> time_of(const Parts& parts) {
  const std::chrono::year_month_day date{std::chrono::year{parts.year},
                                         std::chrono::month{parts.month + 1},
                                         std::chrono::day{static_cast<unsigned>(parts.day)}};
  // A leap second is 60 (RFC 9110, 5.6.7).
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  const std::chrono::sys_seconds time =
      std::chrono::sys_days{date} + std::chrono::hours{parts.hour} +
      std::chrono::minutes{parts.minute} + std::chrono::seconds{parts.second};
  constexpr auto first = std::chrono::ceil<std::chrono::seconds>(WallTime::min());
  constexpr auto last = std::chrono::floor<std::chrono::seconds>(WallTime::max());
  return WallTime{std::clamp<std::chrono::sys_seconds>(time, first, last)};
}

/// RFC 9110, 5.6.7: a year of two digits that "appears to be more than 50 years in the future" is
/// "the most recent year in the past that had the same last two digits".
std::optional<WallTime> time_in_century(Parts parts, WallTime now) {
  const std::chrono::sys_days today = std::chrono::floor<std::chrono::days>(now);
  const auto latest = std::chrono::year_month_day{today} + std::chrono::years{50};
  const int latest_year = static_cast<int>(latest.year());
  parts.year = latest_year - (latest_year - parts.year) % 100;
  const auto time = time_of(parts);
  if (time && *time <= std::chrono::sys_days{latest} + (now - today)) return time;
  parts.year -= 100;
  return time_of(parts);
}

}  // namespace

std::string_view http_date(WallTime time) {
  // Shards and the control thread write answers: each thread has its own.
  static thread_local std::array<char, 29> text;
  static thread_local int64_t text_seconds = std::numeric_limits<int64_t>::min();
  const int64_t seconds = to_unix_seconds(time);
  if (seconds != text_seconds) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::weekday weekday{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time) - day};
    constexpr std::string_view pattern = "Sun, 00 Jan 0000 00:00:00 GMT";
    std::ranges::copy(pattern, text.begin());
    std::ranges::copy(days[weekday.c_encoding()], text.begin());
    write_two_digits(&text[5], static_cast<unsigned>(date.day()));
    std::ranges::copy(months[static_cast<unsigned>(date.month()) - 1], text.begin() + 8);
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    write_two_digits(&text[12], year / 100);
    write_two_digits(&text[14], year % 100);
    write_two_digits(&text[17], static_cast<unsigned>(clock.hours().count()));
    write_two_digits(&text[20], static_cast<unsigned>(clock.minutes().count()));
    write_two_digits(&text[23], static_cast<unsigned>(clock.seconds().count()));
    text_seconds = seconds;
  }
  return {text.data(), text.size()};
}

std::optional<WallTime> parse_http_date(std::string_view text, WallTime now) {
  Parts parts;
  if (read_fixdate(text, parts) || read_asctime(text, parts)) return time_of(parts);
  if (read_rfc850(text, parts)) return time_in_century(parts, now);
  return std::nullopt;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, WallTime now) {
  constexpr auto most = std::chrono::floor<std::chrono::seconds>(Duration::max());
  if (!value.empty() && std::ranges::all_of(value, is_digit)) {
    const uint64_t seconds = parse_decimal(value).value_or(std::numeric_limits<uint64_t>::max());
    return std::chrono::seconds{std::min(seconds, static_cast<uint64_t>(most.count()))};
  }
  const auto date = parse_http_date(value, now);
  if (!date) return std::nullopt;
  if (*date <= now) return std::chrono::seconds{0};
  return std::chrono::ceil<std::chrono::seconds>(*date - std::max(now, WallTime{}));
}

}  // namespace ringpost::http
