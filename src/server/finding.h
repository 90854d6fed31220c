#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
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

inline Finding ok(std::string subject, std::string text) {
  return {Finding::Verdict::ok, std::move(subject), std::move(text), {}};
}
inline Finding warning(std::string subject, std::string text, std::string remedy) {
  return {Finding::Verdict::warning, std::move(subject), std::move(text), std::move(remedy)};
}
inline Finding failure(std::string subject, std::string text, std::string remedy) {
  return {Finding::Verdict::failure, std::move(subject), std::move(text), std::move(remedy)};
}

/// As in `3.9 ms`.
inline std::string in_ms(Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return std::to_string(us / 1000) + "." + std::to_string(us % 1000 / 100) + " ms";
}

}  // namespace ringpost::server
