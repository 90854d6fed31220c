#pragma once

#include <optional>
#include <string>

namespace ringpost::io {

/// The whole of a file that an operator named. Blocks: for start-up and client commands, never on a
/// shard. Nothing if it cannot be opened or read (a directory, for one).
std::optional<std::string> read_file(const std::string& path);

}  // namespace ringpost::io
