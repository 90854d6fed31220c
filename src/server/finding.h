#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace ringpost::server {

/// What `ringpost doctor` found out about one thing that a relay needs.
struct Finding {
  enum class Verdict : uint8_t { ok, warning, failure };

  Verdict verdict = Verdict::ok;
  std::string subject;  ///< One or two words: "disk".
  std::string text;     ///< What was found.
  std::string remedy;   ///< How to mend it; empty if nothing is wrong.
};

using Findings = std::vector<Finding>;

/// As in `3.9 ms`.
inline std::string in_ms(Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return std::to_string(us / 1000) + "." + std::to_string(us % 1000 / 100) + " ms";
}

}  // namespace ringpost::server
