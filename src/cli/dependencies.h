#pragma once

#include <span>

namespace ringpost::cli {

/// A library that this build was made with. Compiled in by tools/dependencies.
struct Dependency {
  const char* name;
  const char* version;
  const char* origin;   ///< "crate boring-sys 5.4.0", "Debian package libfmt-dev 9.1.0+ds1-2".
  const char* linked;   ///< "static", "shared" or "headers".
  const char* purpose;  ///< What we use it for.
};

/// All of them, in the order of their names.
std::span<const Dependency> dependencies();

}  // namespace ringpost::cli
