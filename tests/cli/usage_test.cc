#include "cli/usage.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringpost::cli {
namespace {

/// What `program list …` is told, as a program with two commands would.
std::string said_of(const std::string& line) {
  CLI::App app{"", "program"};
  app.require_subcommand(1);
  app.add_subcommand("list", "");
  CLI::App* add = app.add_subcommand("add", "");
  std::string url, kind;
  int count = 1;
  uint32_t delay = 0;
  std::vector<std::string> sets, ids;
  add->add_option("--url", url)->type_name("URL")->required();
  add->add_option("--count", count)->check(CLI::Range(1, 9));
  add->add_option("--delay", delay);
  add->add_option("--kind", kind)->check(CLI::IsMember({"red", "blue"}));
  add->add_option("--set", sets)->type_name("KEY=VALUE")->allow_extra_args(false);
  add->add_option_function<std::string>("--own", [](const std::string&) {
    throw CLI::ValidationError("--own: the secret is too short");
  });
  try {
    app.parse("program " + line, true);
  } catch (const CLI::ParseError& error) {
    return explain_usage(app, error);
  }
  return "fine";
}

TEST(Usage, NamesTheCommandThatIsMissingOrUnknown) {
  EXPECT_EQ(said_of(""), "a command is missing: list, add (program --help)");
  EXPECT_EQ(said_of("sing"), "there is no command \"sing\" (program --help)");
  EXPECT_EQ(said_of("\x1b[31m"), "there is no command \"\\x1b[31m\" (program --help)");
}

TEST(Usage, NamesWhatWasProbablyMeant) {
  EXPECT_EQ(said_of("lst"), "there is no command \"lst\"; did you mean \"list\"? (program --help)");
  EXPECT_EQ(said_of("add --urls=x"),
            "there is no option \"--urls=x\"; did you mean \"--url\"? (program add --help)");
}

TEST(Usage, AnOptionBeforeItsCommandIsToStandBehindIt) {
  EXPECT_EQ(said_of("--url x add"),
            "there is no option \"--url\" here: it belongs after the command (program add --help)");
  EXPECT_EQ(said_of("add --coun 2"),
            "there is no option \"--coun\"; did you mean \"--count\"? (program add --help)");
  EXPECT_EQ(said_of("add --lr x"), "there is no option \"--lr\" (program add --help)");
}

TEST(Usage, HelpOfWhatIsNoCommandSaysSo) {
  CLI::App app{"", "program"};
  app.require_subcommand(1);
  CLI::App* group = app.add_subcommand("user", "");
  group->require_subcommand(1);
  group->add_subcommand("show", "")->add_option("FILE", "");
  const auto said = [&](std::vector<std::string> words) -> std::string {
    try {
      parse(app, std::move(words));
    } catch (const CLI::CallForHelp&) {
      return "help";
    } catch (const CLI::ParseError& error) {
      return explain_usage(app, error);
    }
    return "fine";
  };
  EXPECT_EQ(said({"help", "usr"}),
            "there is no command \"usr\"; did you mean \"user\"? (program --help)");
  EXPECT_EQ(said({"help", "user", "sow"}),
            "there is no command \"sow\"; did you mean \"show\"? (program user --help)");
  EXPECT_EQ(said({"user", "help"}), "help");
  EXPECT_EQ(said({"help", "user", "show"}), "help");
}

TEST(Usage, HelpIsACommand) {
  CLI::App app{"", "program"};
  CLI::App* add = app.add_subcommand("add", "");
  add->add_option("--url", "")->required();
  for (const auto& words : {std::vector<const char*>{"program", "help"},
                            std::vector<const char*>{"program", "help", "add"}}) {
    EXPECT_THROW(parse(app, static_cast<int>(words.size()), words.data()), CLI::CallForHelp);
    EXPECT_EQ(add->parsed(), words.size() == 3);
  }
  const char* const none[] = {nullptr};
  EXPECT_NO_THROW(parse(app, 0, none));
}

TEST(Usage, NamesAnUnknownOptionBeforeAMissingOne) {
  EXPECT_EQ(said_of("add --nope x"), "there is no option \"--nope\" (program add --help)");
  EXPECT_EQ(said_of("add x -n"), "there is no option \"-n\" (program add --help)");
  EXPECT_EQ(said_of("add"), "--url is required (program add --help)");
}

TEST(Usage, NamesAWordThatBelongsToNothing) {
  EXPECT_EQ(said_of("list one two"), "unexpected argument \"one\" (program list --help)");
  EXPECT_EQ(said_of("add --url u one"), "unexpected argument \"one\" (program add --help)");
}

TEST(Usage, SaysWhatAValueMustBe) {
  EXPECT_EQ(said_of("add --url u --count 10"),
            "--count must be a number from 1 to 9, not \"10\" (program add --help)");
  EXPECT_EQ(said_of("add --url u --count x"),
            "--count must be a number from 1 to 9, not \"x\" (program add --help)");
  EXPECT_EQ(said_of("add --url u --delay x"),
            "--delay must be a number, not \"x\" (program add --help)");
  EXPECT_EQ(said_of("add --url u --kind green"),
            "--kind must be one of red, blue, not \"green\" (program add --help)");
  EXPECT_EQ(said_of("add --url u --own x"), "--own: the secret is too short (program add --help)");
}

TEST(Usage, SaysHowOftenAnOptionMayBeGiven) {
  EXPECT_EQ(said_of("add --url"), "--url needs a value: URL (program add --help)");
  EXPECT_EQ(said_of("add --url u --url v"), "--url can be given only once (program add --help)");
}

}  // namespace
}  // namespace ringpost::cli
