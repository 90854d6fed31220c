#include "control/api/stream_cursor.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>

namespace ringpost::control {

using journal::Position;

namespace {

constexpr size_t position_digits = 16;
constexpr size_t time_digits = 12;
constexpr size_t place_digits = position_digits + time_digits;
constexpr size_t check_digits = 8;

std::string hexadecimal(uint64_t number, size_t digits) {
  char text[position_digits + 1];
  std::snprintf(text, sizeof text, "%0*" PRIx64, static_cast<int>(digits), number);
  return text;
}

std::string check_of(const std::string& text, const ListQuery& query, const index::TextHash& hash) {
  return hexadecimal(hash.of(text + query.asked), check_digits);
}

}  // namespace

std::string stream_cursor(const StreamPlace& place, const ListQuery& query,
                          const index::TextHash& hash) {
  std::string text(1, static_cast<char>(query.kind));
  for (const auto& [position, segment_ms] : place) {
    text += hexadecimal(position.packed, position_digits);
    text += hexadecimal(segment_ms, time_digits);
  }
  return text + check_of(text, query, hash);
}

std::optional<StreamPlace> parse_stream_cursor(std::string_view text, const ListQuery& query,
                                               const index::TextHash& hash) {
  constexpr size_t frame = 1 + check_digits;
  const bool possible = text.size() > frame && (text.size() - frame) % place_digits == 0 &&
                        (text.size() - frame) / place_digits <= Position::journals_max;
  if (!possible) return std::nullopt;
  StreamPlace place;
  const std::string_view digits = text.substr(1, text.size() - frame);
  for (size_t at = 0; at < digits.size(); at += place_digits) {
    StreamPosition& one = place.emplace_back();
    const char* const begin = digits.data() + at;
    std::from_chars(begin, begin + position_digits, one.position.packed, 16);
    std::from_chars(begin + position_digits, begin + place_digits, one.segment_ms, 16);
  }
  const bool rising = std::ranges::is_sorted(
      place, {}, [](const StreamPosition& one) { return one.position.journal(); });
  if (!rising || stream_cursor(place, query, hash) != text) return std::nullopt;
  return place;
}

}  // namespace ringpost::control
