#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace ringpost::cli {

/// Why a command line was refused, in one line: what is wrong, and the help that says how to mend
/// it. Control bytes of the command line are shown as `\xNN`.
/// @param program  after its `parse` threw `error`, which is not a request for help or the version.
std::string explain_usage(const CLI::App& program, const CLI::ParseError& error);

/// What a program does after `parse` threw: prints help or version, as asked for, or one line on
/// standard error. @returns the exit code: 0, or `usage_code`.
int report_parse_error(const CLI::App& program, const CLI::ParseError& error, int usage_code = 2);

}  // namespace ringpost::cli
