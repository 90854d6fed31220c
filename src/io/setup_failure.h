#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringpost::io {

/// What the system says about itself, for the sentence that explains why there is no ring.
struct SystemFacts {
  std::string kernel_release;  ///< As uname -r: `6.1.0-13-amd64`.
  std::optional<int>
      io_uring_disabled;  ///< sysctl kernel.io_uring_disabled; none if it is unknown.
};

/// One line, no newline: what failed and which kernel or setting is needed.
std::string setup_failure_text(int errno_value, const SystemFacts& facts);

}  // namespace ringpost::io
