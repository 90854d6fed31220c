#include "cli/commands.h"
#include "cli/completion.h"

#include <cstdio>
#include <string>

namespace ringpost::cli {
namespace {

/// Where the script of `program` goes, for each shell.
std::string notes_for(const std::string& program) {
  return "  source <(" + program + " completion bash)    # this bash\n  " + program +
         " completion zsh > ~/.zfunc/_" + program + "    # a folder of fpath\n  " + program +
         " completion fish > ~/.config/fish/completions/" + program + ".fish\n\n";
}

}  // namespace

void add_completion_command(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("completion", "Print a script that completes in a shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "Shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(notes_for(app.get_name()) + exit_codes_alone);
  command->callback([&app, &action, shell] {
    action = [&app, shell] {
      const auto chosen = parse_shell(*shell);
      if (!chosen) return exit_usage;
      const std::string script = completion_script(facts_of(app), *chosen);
      return std::fwrite(script.data(), 1, script.size(), stdout) == script.size() ? 0 : 1;
    };
  });
}

}  // namespace ringpost::cli
