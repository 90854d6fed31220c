#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace ringpost::sim {

/// Which seeds a random test runs, the last one included.
struct Seeds {
  uint64_t first = 1;
  uint64_t last = 1;

  bool only_one() const { return first == last; }
};

inline uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// The one of SIM_SEED, or as many as SIM_SEEDS says, or `usual` ones.
inline Seeds seeds_to_run(uint64_t usual) {
  if (const uint64_t only = number_from("SIM_SEED", 0); only != 0) return {only, only};
  return {1, number_from("SIM_SEEDS", usual)};
}

/// What is wrong, for a failing test: one line each.
inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

}  // namespace ringpost::sim
