#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>

namespace ringpost::io {

/// More than anybody means: a device that never ends, or the wrong file.
inline constexpr size_t file_bytes_max = size_t{256} << 20;

/// The whole of a file that an operator named, of `bytes_max` at most (else Errc::too_large).
/// Blocks: for start-up and client commands, never on a shard. Errors: as error_from_errno, with
/// Side::operator_ (a directory, for one, cannot be read).
Result<std::string> read_file(const std::string& path, size_t bytes_max = file_bytes_max);

/// The same of a file that a server reads again while it runs: Errc::unsupported for what is no
/// regular file. A pipe would hold it up until somebody writes there.
Result<std::string> read_regular_file(const std::string& path, size_t bytes_max = file_bytes_max);

}  // namespace ringpost::io
