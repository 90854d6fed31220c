#pragma once

#include "subscription/patterns.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::subscription {

/// Which branches a webhook wants, in Buildkite's words:
///
///   `main release/*`     these, and what begins with `release/`
///   `* !dependabot/*`    all but these
///
/// Words are in any order, separated by spaces, tabs and line ends. `!` at the front of a word
/// negates it. If there are positive words, one at least must match; no negative one may. `*` is
/// any run of bytes, `/` included, also none; no other character is special; case counts. No words
/// at all: every branch.
class BranchPatterns {
 public:
  static constexpr size_t bytes_max = 4096;
  static constexpr size_t words_max = 64;
  /// A longer name matches nothing, not even `*`: git keeps each part of a branch's name in a file
  /// name, and no host takes one of this size.
  static constexpr size_t branch_bytes_max = 1024;

  /// Why `text` cannot be used; empty if it can be.
  static Objection object_to(std::string_view text);

  /// Nothing if object_to(text) objects.
  static std::optional<BranchPatterns> compile(std::string_view text);

  /// Every branch.
  BranchPatterns() = default;

  /// Allocates nothing. Each word takes time in proportion to its size and the branch's: the places
  /// of its pieces are taken from left to right and never taken back.
  bool matches(std::string_view branch) const;

  /// Whether the words exclude each other, so that no branch can match: a negative word covers each
  /// positive one, as in `main !*`.
  bool matches_nothing() const;

  /// As it was compiled.
  const std::string& text() const { return text_; }

 private:
  /// Fixed text of a word, between its stars.
  struct Piece {
    uint16_t begin;  ///< In text_.
    uint16_t size;   ///< In bytes.
  };
  /// One piece: exactly this. More: what begins with the first, ends with the last and has those
  /// between in this order; only the first and the last may be empty.
  struct Word {
    uint16_t first;  ///< In pieces_.
    uint16_t count;
    bool negative;
  };
  static_assert(bytes_max <= UINT16_MAX, "pieces are kept as 16-bit places");

  explicit BranchPatterns(std::string_view text);
  void add_word(size_t begin, size_t end);
  std::string_view text_of(const Piece& piece) const {
    return {text_.data() + piece.begin, piece.size};
  }
  std::string_view text_of(const Word& word) const;
  bool matches(const Word& word, std::string_view branch) const;
  bool excludes(std::string_view positive) const;

  std::string text_;
  std::vector<Piece> pieces_;
  std::vector<Word> words_;
  bool has_positive_ = false;
};

}  // namespace ringpost::subscription
