#pragma once

#include "load/options.h"

#include <string>

namespace ringpost::load {

/// `ringpost-load relay` and `receiver`: checks everything, runs, prints. @returns the exit code.
int run(const RunOptions& options);

}  // namespace ringpost::load
