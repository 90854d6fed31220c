#pragma once

#include "base/result.h"

#include <string>

namespace ringpost::io {

/// The whole of a file that an operator named. Blocks: for start-up and client commands, never on a
/// shard. Errors: as error_from_errno, with Side::operator_ (a directory, for one, cannot be read).
Result<std::string> read_file(const std::string& path);

}  // namespace ringpost::io
