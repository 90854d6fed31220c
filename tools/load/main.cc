// ringpost-load: load for a relay or a receiver, measured so that it can be trusted.

#include "cli/commands.h"
#include "cli/manual.h"
#include "cli/output.h"
#include "cli/usage.h"
#include "io/process.h"
#include "load/compare.h"
#include "load/options.h"
#include "load/run.h"
#include "ringpost/version.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::load {
namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 done; 1 requests failed, or deliveries are missing or badly signed, or the "
    "target refuses all; 2 wrong usage; 3 the target cannot be reached, or is not of this kind; 4 "
    "the run is invalid: this machine could not keep the schedule.";

constexpr const char* relay_notes =
    "Send times are fixed before the run, and latency counts from the time when a request was due: "
    "a relay that stalls is charged for everything that had to wait.\n"
    "\n"
    "Placeholders in --type, --source and --data are filled in for each event: {{counter}}, "
    "{{counter FIRST}}, {{random}}, {{random LOW HIGH}}, {{choice WORD...}}, {{timestamp}}, "
    "{{timestamp_ms}}, {{uuid}}.\n"
    "\n"
    "Webhooks that the relay has already get the events as well, if they want events of these "
    "types and sources. If one of them leads to another machine, nothing is sent, unless "
    "--i-own-this-target names that host. Its receivers get the load, too.\n"
    "\n"
    "For --sink the relay must be permitted to send to this machine: ringpost serve --set "
    "'delivery.allow_networks=[\"127.0.0.0/8\"]'.\n"
    "\n"
    "  ringpost-load relay --rate 500 --duration 30s --sink --html report.html\n"
    "  ringpost-load relay --sweep 100-20000 --duration 5s --batch 10\n"
    "  ringpost-load relay --rate 100:10s,100-1000:30s --data '{\"build\":{{counter}}}'\n"
    "  ringpost-load relay --replay events.ndjson --speed 10 --pid $(pidof ringpost)\n"
    "  ringpost-load relay --sink --dialect standard --dialect bitrise --dialect devopness\n"
    "\n";

constexpr const char* receiver_notes =
    "The requests are those that a relay would send: the same headers, signed with the secret.\n"
    "\n"
    "  ringpost-load receiver https://127.0.0.1:8443/in --ca ca.pem "
    "--standard-secret @standard.secret --rate 200\n"
    "  ringpost-load receiver http://127.0.0.1:3000/hook --dialect cloudevents --unsigned "
    "--closed\n"
    "\n";

constexpr const char* scenario_help =
    "Read options from this TOML file, each as `name = value`; the command line has the last word";

/// Options of a file, before those of the command line. Nothing after a problem was printed.
std::optional<std::vector<std::string>> expand_scenario(const CLI::App& app,
                                                        std::vector<std::string> words) {
  constexpr std::string_view option = "--scenario";
  const auto found = std::ranges::find_if(words, [option](const std::string& word) {
    return word == option || word.starts_with(std::string{option} + "=");
  });
  if (found == words.end() || words.empty()) return words;
  const auto named = app.get_subcommands(
      [&words](const CLI::App* one) { return one->get_name() == words.front(); });
  const bool apart = *found == option;
  if (named.empty() || (apart && found + 1 == words.end())) return words;
  const std::string file = apart ? *(found + 1) : found->substr(option.size() + 1);
  words.erase(found, found + (apart ? 2 : 1));
  const auto read = read_scenario(file, *named.front());
  if (const auto* problem = std::get_if<cli::UsageProblem>(&read)) {
    std::fprintf(stderr, "ringpost-load: --scenario %s\n", problem->text.c_str());
    return std::nullopt;
  }
  const auto& more = std::get<std::vector<std::string>>(read);
  words.insert(words.begin() + 1, more.begin(), more.end());
  return words;
}

/// An option that is given twice: the last one counts, which is the command line's.
void let_last_win(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_expected_max() == 1 &&
        option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw) {
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
}

void add_run_command(CLI::App& app, const char* name, const char* description, const char* notes,
                     RunOptions& options, std::string& scenario, cli::Action& action) {
  CLI::App* command = app.add_subcommand(name, description);
  add_run_options(*command, options);
  command->add_option("--scenario", scenario, scenario_help)->type_name("FILE")->group("Load");
  let_last_win(*command);
  command->footer(std::string{notes} + exit_codes);
  command->callback([&action, &options] { action = [&options] { return run(options); }; });
}

int main_of(int argc, char** argv) {
  CLI::App app{
      "Load for a webhook relay, or for a receiver of webhooks: open loop, with honest latencies.\n"
      "Loss, duplicates, order and signatures are checked by a receiver in the same process.",
      "ringpost-load"};
  app.set_version_flag("--version", std::string("ringpost-load ") + version);
  app.require_subcommand(1);
  RunOptions relay;
  RunOptions receiver{.to_relay = false};
  std::string scenario;
  cli::Action action;
  add_run_command(app, "relay", "Post events to a relay", relay_notes, relay, scenario, action);
  add_run_command(app, "receiver", "Post signed webhook requests to a receiver", receiver_notes,
                  receiver, scenario, action);
  add_compare_command(app, action);
  cli::add_completion_command(app, action);
  app.footer(std::string{"Traffic goes to this machine only, unless --i-own-this-target names "
                         "the host.\n\n"} +
             exit_codes);
  if (const auto done = cli::write_manual(app, argc, argv,
                                          {.version = std::string("ringpost ") + version,
                                           .see_also = {"ringpost", "ringpost-sink"}})) {
    return *done;
  }
  auto words = expand_scenario(app, {argv + 1, argv + argc});
  if (!words) return exit_usage;
  try {
    cli::parse(app, *std::move(words));
  } catch (const CLI::ParseError& error) {
    return cli::report_parse_error(app, error);
  }
  return action();
}

}  // namespace
}  // namespace ringpost::load

int main(int argc, char** argv) {
  ringpost::io::secure_process();
  try {
    return ringpost::cli::finish_output("ringpost-load", ringpost::load::main_of(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ringpost-load: %s\n", error.what());
    return ringpost::load::exit_faults;
  }
}
