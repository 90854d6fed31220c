#include "cli/manual.h"

#include "program.h"

#include <gtest/gtest.h>

namespace ringpost::cli {
namespace {

TEST(Manual, ASmallProgramHasOnePage) {
  CLI::App app{"A tool: it does.\nAnd more.", "tool"};
  app.set_help_flag();
  std::string text;
  app.add_option("--file", text, ".dots, 'quotes' \\ and …")->type_name("FILE")->required();
  CLI::App* inner = app.add_subcommand("inner", "Within");
  inner->set_help_flag();
  inner->add_option("ID", text, "Which")->required();
  inner->footer("  tool inner ~/x-1\n\nExit codes: 0 done.");
  app.footer("Why.\n  example\n\nExit codes: 0 done; 1 not.");
  const auto pages =
      manual_pages(facts_of(app), {.version = "tool 1", .see_also = {"other"}}, "2031-05-04");
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages.at("tool.1"),
            ".TH TOOL 1 2031-05-04 \"tool 1\" \"User commands\"\n"
            ".SH NAME\n"
            "tool \\- A tool: it does\n"
            ".SH SYNOPSIS\n"
            "\\fBtool\\fR [\\fIOPTION\\fR]... \\fICOMMAND\\fR\n"
            ".br\n"
            "\\fBtool inner\\fR \\fIID\\fR\n"
            ".SH DESCRIPTION\n"
            "A tool: it does.\n"
            "And more.\n"
            ".PP\n"
            "Why.\n"
            ".EX\n"
            "example\n"
            ".EE\n"
            ".SH COMMANDS\n"
            ".SS tool inner\n"
            "\\fBtool inner\\fR \\fIID\\fR\n"
            ".PP\n"
            "Within.\n"
            ".TP\n"
            "\\fIID\\fR\n"
            "Which; required\n"
            ".PP\n"
            ".EX\n"
            "tool inner \\(ti/x\\-1\n"
            ".EE\n"
            ".SH OPTIONS\n"
            ".TP\n"
            "\\fB\\-\\-file\\fR \\fIFILE\\fR\n"
            "\\&.dots, \\(aqquotes\\(aq \\e and \\[u2026]; required\n"
            ".SH EXIT STATUS\n"
            ".TP\n"
            "\\fB0\\fR\n"
            "done\n"
            ".TP\n"
            "\\fB1\\fR\n"
            "not\n"
            ".SH SEE ALSO\n"
            ".BR other (1)\n");
}

TEST(Manual, EachCommandHasAPageWithAllOfItsOptions) {
  const Program program;
  const CommandFacts facts = facts_of(program.app);
  const auto pages = manual_pages(facts,
                                  {.version = "ringpost 1",
                                   .sections = {{"files", "A/b - The file.\n\nC - Another."}},
                                   .examples = "  ringpost status",
                                   .see_also = {},
                                   .page_for_each_command = true},
                                  "2031-05-04");
  EXPECT_EQ(pages.size(), facts.commands.size() + 1);
  const std::string& main = pages.at("ringpost.1");
  EXPECT_NE(main.find(".SH FILES\n.TP\n\\fBA/b\\fR\nThe file.\n.TP\n\\fBC\\fR\nAnother.\n"),
            std::string::npos);
  EXPECT_NE(main.find(".SH EXAMPLES\n.EX\nringpost status\n.EE\n"), std::string::npos);
  EXPECT_NE(main.find(".BR ringpost\\-webhook (1)"), std::string::npos);
  const std::string& webhook = pages.at("ringpost-webhook.1");
  EXPECT_NE(webhook.find(".SH EXIT STATUS\n"), std::string::npos);
  for (const CommandFacts& command : facts.commands) {
    if (command.name() != "webhook") continue;
    for (const CommandFacts& inner : command.commands) {
      for (const OptionFacts& option : inner.options) {
        std::string name = option.names.back();
        for (size_t at = name.find('-'); at != std::string::npos; at = name.find('-', at + 2)) {
          name.insert(at, "\\");
        }
        EXPECT_NE(webhook.find("\\fB" + name + "\\fR"), std::string::npos) << name;
      }
    }
  }
  for (const auto& [name, text] : pages) {
    for (const char byte : text) ASSERT_GE(byte, '\n') << name;  // ASCII: bytes above are below 0.
  }
}

}  // namespace
}  // namespace ringpost::cli
