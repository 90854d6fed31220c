#pragma once

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

}  // namespace ringpost::server
