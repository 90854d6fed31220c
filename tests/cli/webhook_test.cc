#include "cli/tree.h"
#include "dialect/dialect.h"
#include "dialect/guide.h"
#include "program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace ringpost::cli {
namespace {

/// The words of a line as a shell reads it that knows single quotes.
std::vector<std::string> shell_words(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false;
  bool in_word = false;
  for (const char byte : line) {
    if (byte == '\'') {
      quoted = !quoted;
      if (!in_word) words.emplace_back();
      in_word = true;
    } else if (byte == ' ' && !quoted) {
      in_word = false;
    } else {
      if (!in_word) words.emplace_back();
      in_word = true;
      words.back() += byte;
    }
  }
  return words;
}

/// What a line of notes asks for if it is a command of ours; nothing for others.
std::optional<std::string> parse_command(const std::string& line) {
  const size_t begin = line.find("ringpost ");
  if (!line.starts_with("  ") || begin == std::string::npos) return std::nullopt;
  if (begin != 2 && line.find("| ringpost ") == std::string::npos) return std::nullopt;
  const size_t end = std::min({line.size(), line.find(" |"), line.find(" > "), line.find(" \\")});
  std::vector<std::string> words = shell_words(line.substr(begin + 9, end - begin - 9));
  Program program;
  std::reverse(words.begin(), words.end());
  try {
    program.app.parse(words);
  } catch (const CLI::ParseError& error) {
    return line + ": " + error.what();
  }
  return std::string{};
}

size_t expect_commands_work(const std::string& text) {
  std::istringstream in(text);
  size_t found = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.find("#") != std::string::npos) continue;  // With a redirection and its explanation.
    const auto problem = parse_command(line);
    if (!problem) continue;
    EXPECT_EQ(*problem, "");
    ++found;
  }
  return found;
}

TEST(WebhookAdd, SaysOfEveryDialectWhatItTakesWithACommandThatWorks) {
  const Program program;
  const std::string help = program.app.get_subcommand("webhook")->get_subcommand("add")->help(
      "", CLI::AppFormatMode::All);
  for (const dialect::Dialect* one : dialect::all()) {
    const std::string guide{dialect::guide(one->name())};
    EXPECT_TRUE(guide.starts_with(std::string{one->name()} + ": ")) << guide;
    EXPECT_GE(expect_commands_work(guide), 1u) << guide;
    EXPECT_NE(help.find(guide.substr(0, guide.find('\n'))), std::string::npos) << help;
  }
}

TEST(WebhookAdd, GuidesOfAllFoldersHaveCommandsThatWork) {
  for (const char* name :
       {"standard", "bitrise", "buildkite", "devopness", "cloudevents", "git-status"}) {
    EXPECT_GE(expect_commands_work(std::string{dialect::guide(name)}), 1u) << name;
  }
  EXPECT_EQ(dialect::guide("carrier-pigeon"), "");
}

void expect_notes_work(const CommandFacts& command, size_t& found) {
  found += expect_commands_work(command.notes);
  for (const CommandFacts& inner : command.commands) expect_notes_work(inner, found);
}

TEST(Commands, ExamplesInTheirNotesWork) {
  const Program program;
  size_t found = 0;
  expect_notes_work(facts_of(program.app), found);
  EXPECT_GE(found, 10u);
}

void expect_exit_codes(const CommandFacts& command) {
  if (command.path.size() > 1) {
    EXPECT_NE(command.notes.find("Exit codes: 0 "), std::string::npos) << command.name();
  }
  for (const CommandFacts& inner : command.commands) expect_exit_codes(inner);
}

TEST(Commands, EveryHelpStatesExitCodes) {
  expect_exit_codes(facts_of(Program{}.app));
}

TEST(Commands, NoOptionTakesASecretFromTheArguments) {
  const CommandFacts program = facts_of(Program{}.app);
  const std::function<void(const CommandFacts&)> check = [&](const CommandFacts& command) {
    for (const OptionFacts& option : command.options) {
      for (const std::string& name : option.names) {
        if (name != "--secret" && name != "--token") continue;
        EXPECT_EQ(option.kind, ValueKind::at_file) << command.name() << " " << name;
      }
    }
    for (const CommandFacts& inner : command.commands) check(inner);
  };
  check(program);
}

}  // namespace
}  // namespace ringpost::cli
