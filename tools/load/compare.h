#pragma once

#include "cli/commands.h"

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <variant>

namespace ringpost::load {

/// Two results of `--json` side by side, with ratios B / A. @returns the table, or what is wrong.
std::variant<std::string, cli::UsageProblem> compare(std::string_view a, std::string_view b);

/// `ringpost-load compare A B`.
void add_compare_command(CLI::App& app, cli::Action& action);

}  // namespace ringpost::load
