#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace ringpost::cli {

/// What follows an option on the command line.
enum class ValueKind : uint8_t {
  none,     ///< A flag.
  text,     ///< Anything; `choices` are offered.
  file,     ///< A path.
  at_file,  ///< A path behind `@`.
};

/// An option or a positional argument, as help, completion and manual show it.
struct OptionFacts {
  std::vector<std::string> names;  ///< With their dashes; a positional has one, without.
  std::string label;               ///< Of the value: `FILE`; empty for a flag.
  ValueKind kind = ValueKind::none;
  std::vector<std::string> choices;
  std::string description;
  std::string group;  ///< The heading above it.
  std::string default_text;
  bool required = false;
  bool repeatable = false;
};

/// A command with all that belongs to it. Hidden commands and options are left out.
struct CommandFacts {
  std::vector<std::string> path;  ///< From the program's name down to its own.
  std::string description;
  std::vector<OptionFacts> options;      ///< In the order of the help.
  std::vector<OptionFacts> positionals;  ///< In their order on the command line.
  std::vector<CommandFacts> commands;
  std::string notes;  ///< The text below the options in the help.

  std::string name() const { return path.back(); }
};

/// The facts of a program's command line.
CommandFacts facts_of(const CLI::App& program);

}  // namespace ringpost::cli
