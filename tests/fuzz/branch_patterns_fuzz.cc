// Goal: compiled branch patterns say what a table of every prefix of word and branch says. Method:
// the first line of the input is the branch, the rest the patterns.

#include "base/assert.h"
#include "fuzz.h"
#include "subscription/branch_patterns.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::subscription {
namespace {

/// One row of the table per byte of the word: which prefixes of `branch` it matches so far.
bool word_matches(std::string_view word, std::string_view branch) {
  std::vector<char> row(branch.size() + 1, 0);
  row[0] = 1;
  for (const char byte : word) {
    std::vector<char> next(row.size(), 0);
    for (size_t size = 0; size < row.size(); ++size) {
      if (byte == '*') {
        next[size] = row[size] || (size > 0 && next[size - 1]);
      } else {
        next[size] = size > 0 && row[size - 1] && branch[size - 1] == byte;
      }
    }
    row = std::move(next);
  }
  return row.back() != 0;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char byte : text) {
    if (std::string_view{" \t\r\n"}.find(byte) == std::string_view::npos) {
      words.back() += byte;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

void check(std::string_view text, std::string_view branch) {
  const std::vector<std::string> words = words_of(text);
  const auto compiled = BranchPatterns::compile(text);
  const bool usable = text.size() <= BranchPatterns::bytes_max &&
                      words.size() <= BranchPatterns::words_max &&
                      std::ranges::find(words, "!") == words.end();
  RINGPOST_ASSERT(compiled.has_value() == usable);
  if (!compiled) return;
  bool has_positive = false;
  bool positive = false;
  bool negative = false;
  for (const std::string& word : words) {
    if (word.starts_with('!')) {
      negative |= word_matches(std::string_view{word}.substr(1), branch);
    } else {
      has_positive = true;
      positive |= word_matches(word, branch);
    }
  }
  const bool fits = branch.size() <= BranchPatterns::branch_bytes_max;
  RINGPOST_ASSERT(compiled->matches(branch) == (fits && (positive || !has_positive) && !negative));
}

}  // namespace
}  // namespace ringpost::subscription

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const size_t line = std::min(input.find('\n'), size);
  ringpost::subscription::check(input.substr(std::min(line + 1, size)), input.substr(0, line));
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  return {"feature/beta\nmain feature/* !feature/beta release/*",
          "aXbXbYc\na*b*c **\t*X*",
          "aaaaaaaa\n*aa*aa*aab !a*aa*b",
          "v1.0\nv*.0 !v1.*",
          "\n!* ! x",
          "dependabot/x\n* !dependabot/*\r\n!!a"};
}
