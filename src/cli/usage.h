#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace ringpost::cli {

/// Reads the command line of a program; `program help COMMAND` is `program COMMAND --help`. Throws
/// CLI::ParseError, for `report_parse_error`.
void parse(CLI::App& program, int argc, const char* const* argv);
/// @param words  behind the program's name.
void parse(CLI::App& program, std::vector<std::string> words);

/// Why a command line was refused, in one line: what is wrong, and the help that says how to mend
/// it. Control bytes of the command line are shown as `\xNN`.
/// @param program  after its `parse` threw `error`, which is not a request for help or the version.
std::string explain_usage(const CLI::App& program, const CLI::ParseError& error);

/// What a program does after `parse` threw: prints help or version, as asked for, or one line on
/// standard error. @returns the exit code: 0, or `usage_code`.
int report_parse_error(const CLI::App& program, const CLI::ParseError& error, int usage_code = 2);

}  // namespace ringpost::cli
