// What it costs to ask whether a branch passes eight words of patterns, beside fnmatch() for each
// word and beside a bare comparison of texts of the same number and size (what an exact list would
// cost).
//
//   branch_patterns_bench [--smoke]
//
// Limit: 150 ns. Rounds alternate and medians of this thread's CPU time are shown: the machine is
// not ours alone.

#include "../measure.h"
#include "base/assert.h"
#include "subscription/branch_patterns.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <fnmatch.h>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::subscription {
namespace {

using bench::cpu_ns;
using bench::median;

constexpr double limit_ns = 150;
constexpr std::array<const char*, 8> words{"main",         "develop",     "release/*", "hotfix/*",
                                           "feature/*/ui", "*-candidate", "v*.*.0",    "!*/wip*"};
constexpr std::array<const char*, 4> branches{"feature/checkout-redesign/ui", "v12.4.0",
                                              "users/ada/some-experiment-of-hers", "main"};

bool compare_all(std::string_view branch) {
  bool equal = false;
  for (const std::string_view word : words) equal |= word == branch;
  return equal;
}

bool fnmatch_all(const char* branch) {
  bool positive = false;
  for (const char* word : words) {
    const bool negative = *word == '!';
    const bool match = fnmatch(word + (negative ? 1 : 0), branch, FNM_NOESCAPE) == 0;
    if (match && negative) return false;
    positive |= match;
  }
  return positive;
}

/// CPU per call of `work(branch)`.
template <typename Work>
double measure(uint64_t calls, const char* branch, bool expected, Work work) {
  const double start = cpu_ns();
  for (uint64_t call = 0; call < calls; ++call) {
    asm volatile("" : "+r"(branch));  // Each call is a new question.
    RINGPOST_ASSERT(work(branch) == expected);
  }
  return (cpu_ns() - start) / static_cast<double>(calls);
}

void run(const char* branch, int rounds, uint64_t calls) {
  std::string text;
  for (const char* word : words) text.append(word).append(" ");
  const auto patterns = BranchPatterns::compile(text);
  RINGPOST_ASSERT(patterns.has_value());
  const bool expected = fnmatch_all(branch);
  const bool equal = compare_all(branch);
  std::array<std::vector<double>, 3> times;
  for (int round = 0; round < rounds; ++round) {
    times[0].push_back(
        measure(calls, branch, expected, [&](const char* of) { return patterns->matches(of); }));
    times[1].push_back(measure(calls, branch, expected, fnmatch_all));
    times[2].push_back(measure(calls, branch, equal, compare_all));
  }
  std::printf("%-36s %6.1f ns (limit %.0f)  fnmatch %7.1f ns  compare %5.1f ns\n", branch,
              median(times[0]), limit_ns, median(times[1]), median(times[2]));
}

}  // namespace
}  // namespace ringpost::subscription

int main(int argument_count, char** arguments) {
  const bool smoke = argument_count > 1 && std::string_view{arguments[1]} == "--smoke";
  for (const char* branch : ringpost::subscription::branches) {
    ringpost::subscription::run(branch, smoke ? 1 : 15, smoke ? 1000 : 200'000);
  }
  return 0;
}
