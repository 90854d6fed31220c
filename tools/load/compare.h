#pragma once

#include "cli/commands.h"
#include "cli/input.h"

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

namespace ringpost::load {

/// Two results of `--json` side by side, with ratios B / A, as a table. Errors: no results.
cli::Usable<std::string> compare(std::string_view a, std::string_view b);
/// The same as JSON, with a line end: tools/load/README.md.
cli::Usable<std::string> compare_as_json(std::string_view a, std::string_view b);

/// `ringpost-load compare A B`.
void add_compare_command(CLI::App& app, cli::Action& action);

}  // namespace ringpost::load
