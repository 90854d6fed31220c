#include "cli/usage.h"

#include "base/log.h"
#include "base/meant_word.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string_view>

namespace ringpost::cli {
namespace {

/// The command that was chosen, and the words that lead to it.
struct Chosen {
  const CLI::App* command;
  std::string path;
};

Chosen chosen_of(const CLI::App& program) {
  Chosen chosen{&program, program.get_name()};
  while (!chosen.command->get_subcommands().empty()) {
    chosen.command = chosen.command->get_subcommands().front();
    chosen.path += " " + chosen.command->get_name();
  }
  return chosen;
}

std::string in_quotes(std::string_view text) {
  return '"' + printable(text) + '"';
}

std::string hint(const std::vector<std::string>& known, std::string_view unknown) {
  const auto meant = meant_word(known, unknown);
  return meant ? "; did you mean " + in_quotes(*meant) + "?" : "";
}

std::vector<std::string> names_of_commands(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* next : command.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(next->get_name());
  }
  return names;
}

std::vector<std::string> names_of_options(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  }
  return names;
}

/// @param unknown  of the command, with its dashes; they are no letters that were meant.
std::string hint_of_option(const CLI::App& command, std::string_view unknown) {
  const std::string_view name =
      unknown.substr(std::min(unknown.find_first_not_of('-'), unknown.size()));
  const auto meant = meant_word(names_of_options(command), name);
  if (!meant) return "";
  if (*meant == name) return " here: it belongs after the command";
  return "; did you mean " + in_quotes("--" + *meant) + "?";
}

/// Words that belong to nothing, in their order; an option goes before all else, since what follows
/// it may be its value.
std::optional<std::string> unexpected_word(const Chosen& chosen, const CLI::App& program) {
  const auto words = program.remaining(true);
  if (words.empty()) return std::nullopt;
  const auto option = std::ranges::find_if(
      words, [](const std::string& word) { return word.size() > 1 && word.front() == '-'; });
  if (option != words.end()) {
    const std::string name = option->substr(0, option->find('='));
    return "there is no option " + in_quotes(*option) + hint_of_option(*chosen.command, name);
  }
  const std::string& word = words.front();
  if (chosen.command->get_require_subcommand_min() == 0) {
    return "unexpected argument " + in_quotes(word);
  }
  return "there is no command " + in_quotes(word) + hint(names_of_commands(*chosen.command), word);
}

std::string missing_command(const Chosen& chosen) {
  std::string names;
  for (const std::string& name : names_of_commands(*chosen.command)) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return "a command is missing: " + names;
}

/// `{red,blue}` as `red, blue`; what has no braces, as it is.
std::string plain_list(std::string_view list) {
  if (!list.starts_with('{') || !list.ends_with('}')) return std::string{list};
  std::string text;
  for (const char byte : list.substr(1, list.size() - 2)) {
    text += byte;
    if (byte == ',') text += ' ';
  }
  return text;
}

/// `--limit: Value x not in range 1 to 9`, and whatever else the library says of one option's
/// value.
std::string wrong_value(std::string_view said) {
  const size_t colon = said.find(": ");
  if (colon == std::string_view::npos) return printable(said);
  const std::string name{said.substr(0, colon)};
  const std::string_view what = said.substr(colon + 2);
  constexpr std::string_view value = "Value ";
  for (const auto& [middle, must] :
       {std::pair<std::string_view, const char*>{" not in range ", " must be a number from "},
        {" not in ", " must be one of "}}) {
    const size_t at = what.rfind(middle);
    if (at == std::string_view::npos) continue;
    const std::string_view given = what.substr(0, at);
    return name + must + plain_list(what.substr(at + middle.size())) + ", not " +
           in_quotes(given.starts_with(value) ? given.substr(value.size()) : given);
  }
  return name + ": " + printable(what);
}

/// `Could not convert: --delay-ms = x`
std::string unreadable_number(std::string_view said) {
  const size_t colon = said.find(": ");
  const size_t equals = said.find(" = ");
  if (colon == std::string_view::npos || equals == std::string_view::npos) return printable(said);
  return std::string{said.substr(colon + 2, equals - colon - 2)} + " must be a number, not " +
         in_quotes(said.substr(equals + 3));
}

/// `--set: 1 required KEY=VALUE missing`, `--url: At Most 1 required but received 2`
std::string wrong_count(const Chosen& chosen, std::string_view said) {
  const std::string name{said.substr(0, said.find(": "))};
  if (said.find("At Most") != std::string_view::npos) return name + " can be given only once";
  const CLI::Option* option = chosen.command->get_option_no_throw(name);
  return name + " needs a value" + (option == nullptr ? "" : ": " + option->get_type_name());
}

std::string problem_of(const Chosen& chosen, const CLI::App& program,
                       const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return wrong_count(chosen, error.what());
  }
  if (auto unexpected = unexpected_word(chosen, program)) return *unexpected;
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    const bool wants_command = chosen.command->get_require_subcommand_min() > 0;
    return wants_command ? missing_command(chosen) : error.what();
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    return unreadable_number(error.what());
  }
  return wrong_value(error.what());
}

/// Nullptr: it has none of this name.
const CLI::App* subcommand_of(const CLI::App& command, const std::string& name) {
  const auto found = command.get_subcommands(
      [&](const CLI::App* subcommand) { return subcommand->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

/// `help COMMAND` and `GROUP help` as `--help`. What is no command stays, to be refused.
void take_help(const CLI::App& program, std::vector<std::string>& words) {
  bool asked = !words.empty() && words.front() == "help";
  if (asked) words.erase(words.begin());
  const CLI::App* command = &program;
  for (auto word = words.begin(); word != words.end(); ++word) {
    if (command->get_require_subcommand_min() > 0 && *word == "help") {
      asked = true;
      words.erase(word);
      break;
    }
    command = subcommand_of(*command, *word);
    if (command == nullptr) return;
  }
  if (asked) words.emplace_back("--help");
}

}  // namespace

void parse(CLI::App& program, int argc, const char* const* argv) {
  parse(program, {argv + std::min(argc, 1), argv + argc});
}

void parse(CLI::App& program, std::vector<std::string> words) {
  take_help(program, words);
  std::ranges::reverse(words);  // As the library wants them.
  program.parse(std::move(words));
}

std::string explain_usage(const CLI::App& program, const CLI::ParseError& error) {
  const Chosen chosen = chosen_of(program);
  return problem_of(chosen, program, error) + " (" + chosen.path + " --help)";
}

int report_parse_error(const CLI::App& program, const CLI::ParseError& error, int usage_code) {
  if (error.get_exit_code() == 0) return program.exit(error);
  std::fprintf(stderr, "%s: %s\n", program.get_name().c_str(),
               explain_usage(program, error).c_str());
  return usage_code;
}

}  // namespace ringpost::cli
