#include "base/meant_word.h"

#include <algorithm>
#include <cstddef>

namespace ringpost {
namespace {

/// Letters to change, add or leave out (Levenshtein).
size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  for (size_t column = 0; column <= right.size(); ++column) row[column] = column;
  for (size_t line = 1; line <= left.size(); ++line) {
    size_t diagonal = row[0];
    row[0] = line;
    for (size_t column = 1; column <= right.size(); ++column) {
      const size_t substitution = diagonal + (left[line - 1] == right[column - 1] ? 0 : 1);
      diagonal = row[column];
      row[column] = std::min({row[column] + 1, row[column - 1] + 1, substitution});
    }
  }
  return row[right.size()];
}

}  // namespace

std::optional<std::string> meant_word(const std::vector<std::string>& known,
                                      std::string_view unknown) {
  constexpr size_t unknown_bytes_max = 100;  // No word is longer, and the work grows with it.
  if (unknown.size() > unknown_bytes_max) return std::nullopt;
  const auto distance = [&](const std::string& word) { return edit_distance(word, unknown); };
  const auto nearest = std::ranges::min_element(known, {}, distance);
  if (nearest == known.end()) return std::nullopt;
  const size_t changes = distance(*nearest);
  const bool similar =
      changes <= std::clamp<size_t>(unknown.size() / 2, 1, 3) && changes < unknown.size();
  return similar ? std::optional{*nearest} : std::nullopt;
}

}  // namespace ringpost
