#pragma once

#include <optional>
#include <string>

namespace ringpost::cli {

/// A file's bytes; `-` is standard input. Nothing after a problem was printed.
std::optional<std::string> read_input(const std::string& file);

}  // namespace ringpost::cli
