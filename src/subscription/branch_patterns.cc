#include "subscription/branch_patterns.h"

#include <algorithm>
#include <cstring>
#include <span>

namespace ringpost::subscription {
namespace {

constexpr std::string_view separators = " \t\n\r";

/// Calls `visit(begin, end)` for each word of `text`.
template <typename Visit>
void for_each_word(std::string_view text, Visit visit) {
  size_t begin = text.find_first_not_of(separators);
  while (begin != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(separators, begin), text.size());
    visit(begin, end);
    begin = text.find_first_not_of(separators, end);
  }
}

}  // namespace

Objection BranchPatterns::object_to(std::string_view text) {
  static_assert(bytes_max == 4096 && words_max == 64, "the sentences say so");
  if (text.size() > bytes_max) return "is longer than 4096 bytes";
  size_t count = 0;
  bool lone_negation = false;
  for_each_word(text, [&](size_t begin, size_t end) {
    ++count;
    lone_negation |= text.substr(begin, end - begin) == "!";
  });
  if (count > words_max) return "has more than 64 words";
  if (lone_negation) return "has a '!' with nothing after it: put it directly before a pattern";
  return {};
}

std::optional<BranchPatterns> BranchPatterns::compile(std::string_view text) {
  if (!object_to(text).empty()) return std::nullopt;
  return BranchPatterns{text};
}

BranchPatterns::BranchPatterns(std::string_view text) : text_(text) {
  for_each_word(text_, [this](size_t begin, size_t end) { add_word(begin, end); });
}

void BranchPatterns::add_word(size_t begin, size_t end) {
  const bool negative = text_[begin] == '!';
  if (negative) ++begin;
  has_positive_ |= !negative;
  const size_t first = pieces_.size();
  while (true) {
    const size_t star = std::min(text_.find('*', begin), end);
    const bool at_an_end = pieces_.size() == first || star == end;
    if (at_an_end || star > begin) {  // Stars beside each other are one.
      pieces_.push_back({static_cast<uint16_t>(begin), static_cast<uint16_t>(star - begin)});
    }
    if (star == end) break;
    begin = star + 1;
  }
  words_.push_back(
      {static_cast<uint16_t>(first), static_cast<uint16_t>(pieces_.size() - first), negative});
}

bool BranchPatterns::matches(std::string_view branch) const {
  if (branch.size() > branch_bytes_max) return false;
  bool wanted = !has_positive_;
  for (const Word& word : words_) {
    if (wanted && !word.negative) continue;
    if (!matches(word, branch)) continue;
    if (word.negative) return false;
    wanted = true;
  }
  return wanted;
}

bool BranchPatterns::matches_nothing() const {
  if (!has_positive_) return excludes("*");
  return std::ranges::all_of(
      words_, [this](const Word& word) { return word.negative || excludes(text_of(word)); });
}

/// Whether a negative word matches whatever the positive word matches. A star in `positive` can
/// only be matched by a star, which matches whatever stands in its place as well.
bool BranchPatterns::excludes(std::string_view positive) const {
  return std::ranges::any_of(words_, [this, positive](const Word& word) {
    return word.negative && matches(word, positive);
  });
}

std::string_view BranchPatterns::text_of(const Word& word) const {
  const Piece& first = pieces_[word.first];
  const Piece& last = pieces_[word.first + word.count - 1];
  return std::string_view{text_}.substr(first.begin, last.begin + last.size - first.begin);
}

bool BranchPatterns::matches(const Word& word, std::string_view branch) const {
  const std::span<const Piece> pieces{pieces_.data() + word.first, word.count};
  const std::string_view front = text_of(pieces.front());
  if (word.count == 1) return branch == front;
  const std::string_view back = text_of(pieces.back());
  if (branch.size() < front.size() + back.size()) return false;
  if (!branch.starts_with(front) || !branch.ends_with(back)) return false;
  branch = branch.substr(front.size(), branch.size() - front.size() - back.size());
  for (const Piece& piece : pieces.subspan(1, pieces.size() - 2)) {
    const void* const found =
        memmem(branch.data(), branch.size(), text_of(piece).data(), piece.size);
    if (found == nullptr) return false;
    const auto at = static_cast<size_t>(static_cast<const char*>(found) - branch.data());
    branch.remove_prefix(at + piece.size);
  }
  return true;
}

}  // namespace ringpost::subscription
