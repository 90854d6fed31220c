#include "cli/completion.h"

#include "cli/tree.h"
#include "program.h"

#include <gtest/gtest.h>

namespace ringpost::cli {
namespace {

TEST(Tree, TellsWhatAnOptionIs) {
  CLI::App app{"Does things", "tool"};
  std::string text;
  std::vector<std::string> list;
  bool flag = false;
  app.add_option("--file,-f", text, "A file")->type_name("FILE")->required();
  suggest(app.add_option("--kind", list, "Kinds")->type_name("KIND"), {"a", "b:c"});
  app.add_flag("--flag", flag, "A flag");
  app.add_option("--hidden", text)->group("");
  CLI::App* inner = app.add_subcommand("inner", "Within");
  inner->add_option("THING", text, "It")->check(CLI::IsMember({"x", "y"}));
  app.add_subcommand("secret", "Hidden")->group("");

  const CommandFacts facts = facts_of(app);
  ASSERT_EQ(facts.options.size(), 4u);  // --help is one.
  const OptionFacts& file = facts.options[1];
  EXPECT_EQ(file.names, (std::vector<std::string>{"-f", "--file"}));
  EXPECT_EQ(file.kind, ValueKind::file);
  EXPECT_TRUE(file.required);
  EXPECT_FALSE(file.repeatable);
  const OptionFacts& kind = facts.options[2];
  EXPECT_EQ(kind.label, "KIND");
  EXPECT_EQ(kind.choices, (std::vector<std::string>{"a", "b:c"}));
  EXPECT_TRUE(kind.repeatable);
  EXPECT_EQ(facts.options[3].kind, ValueKind::none);
  ASSERT_EQ(facts.commands.size(), 1u);
  EXPECT_EQ(facts.commands[0].path, (std::vector<std::string>{"tool", "inner"}));
  ASSERT_EQ(facts.commands[0].positionals.size(), 1u);
  EXPECT_EQ(facts.commands[0].positionals[0].names.front(), "THING");
  EXPECT_EQ(facts.commands[0].positionals[0].choices, (std::vector<std::string>{"x", "y"}));
}

TEST(Tree, ASuggestionRefusesNothing) {
  CLI::App app{"", "tool"};
  std::string text;
  suggest(app.add_option("--kind", text), {"a", "b"});
  app.parse("--kind other");
  EXPECT_EQ(text, "other");
}

TEST(Completion, EveryCommandAndOptionIsInEveryScript) {
  const CommandFacts facts = facts_of(Program{}.app);
  for (const Shell shell : {Shell::bash, Shell::zsh, Shell::fish}) {
    const std::string script = completion_script(facts, shell);
    for (const CommandFacts& command : facts.commands) {
      EXPECT_NE(script.find(command.name()), std::string::npos) << command.name();
      for (const OptionFacts& option : command.options) {
        const std::string name = option.names.back().substr(2);
        EXPECT_NE(script.find(name), std::string::npos) << name;
      }
    }
  }
}

TEST(Completion, DescriptionsCannotEndTheirQuotes) {
  CLI::App app{"", "tool"};
  bool flag = false;
  app.add_flag("--flag", flag, "It's [a] \\ thing: $(reboot)");
  const CommandFacts facts = facts_of(app);
  EXPECT_NE(completion_script(facts, Shell::zsh)
                .find("'(--flag)--flag[It'\\''s \\[a\\] \\\\ thing\\: $(reboot)]'"),
            std::string::npos);
  EXPECT_NE(completion_script(facts, Shell::fish).find("-d 'It\\'s [a] \\\\ thing: $(reboot)'"),
            std::string::npos);
}

TEST(Completion, KnowsThreeShells) {
  EXPECT_EQ(parse_shell("zsh"), Shell::zsh);
  EXPECT_FALSE(parse_shell("powershell"));
}

}  // namespace
}  // namespace ringpost::cli
