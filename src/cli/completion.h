#pragma once

#include "cli/tree.h"

#include <optional>
#include <string>
#include <string_view>

namespace ringpost::cli {

enum class Shell : uint8_t { bash, zsh, fish };

std::optional<Shell> parse_shell(std::string_view name);

/// A script that makes the shell complete the program's commands, options and their values. Made
/// from the facts alone, so that it never lags behind the program.
std::string completion_script(const CommandFacts& program, Shell shell);

}  // namespace ringpost::cli
