// ringpost: the relay and its own client in one program.

#include "base/json_writer.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/manual.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/usage.h"
#include "io/posix_disk.h"
#include "io/process.h"
#include "ringpost/version.h"
#include "server/admin_token.h"
#include "server/config.h"
#include "server/doctor.h"
#include "server/log.h"
#include "server/own_servers.h"
#include "server/secrets.h"
#include "server/serve.h"
#include "server/support_facts.h"
#include "server/trial.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::server {
namespace {

int report(const std::vector<ConfigProblem>& problems) {
  for (const ConfigProblem& problem : problems) {
    std::fprintf(stderr, "%sringpost: %s\n", std::string{journal_prefix(LogLevel::error)}.c_str(),
                 problem.to_text().c_str());
  }
  return problems.empty() ? 0 : 1;
}

int run_serve(const ServeCall& call) {
  io::ignore_stray_signals();
  const ConfigResult result = load_config(call);
  if (report(result.problems) != 0) return 1;
  return serve(call, result.config);
}

void print_verdict(const std::vector<ConfigProblem>& problems) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("ok", problems.empty()).key("problems").begin_array();
  for (const ConfigProblem& problem : problems) problem.write(json);
  json.end_array().end_object();
  std::printf("%s\n", cli::shown_json(text).c_str());
}

int run_check(const ServeCall& call, bool as_json) {
  io::PosixDisk disk;
  const ConfigResult result = check_config(disk, call);
  if (as_json) {
    print_verdict(result.problems);
    return result.problems.empty() ? 0 : 1;
  }
  if (report(result.problems) != 0) return 1;
  std::printf("%s: ok\n", call.config_file.empty() ? "--set" : call.config_file.c_str());
  return 0;
}

/// An option with a value of another form is wrong usage.
/// @param object  to the value: empty, or what it must be.
CLI::Validator form_of(std::string_view (*object)(std::string_view)) {
  const auto check = [object](const std::string& text) {
    const std::string_view objection = object(text);
    return objection.empty() ? std::string{}
                             : std::string{objection} + ", not \"" + printable(text) + '"';
  };
  return CLI::Validator{check, "", ""};
}

/// Of the configuration, for every command that reads one.
void add_config_options(CLI::App& command, ServeCall& options) {
  command.add_option("--config", options.config_file, "Configuration file (TOML)")
      ->type_name("FILE");
  command
      .add_option("--data-dir", options.data_dir, "Directory of the journal and the control store")
      ->type_name("DIR");
  command
      .add_option("--set", options.assignments,
                  "Override a configuration key: section.key=value; repeatable")
      ->type_name("KEY=VALUE")
      ->check(form_of(object_to_assignment))
      ->allow_extra_args(false);
}

void add_serve_options(CLI::App& command, ServeCall& options) {
  add_config_options(command, options);
  command
      .add_option("--listen", options.listen,
                  "IP:port or unix:/path; repeatable; replaces the configured listeners")
      ->type_name("ADDRESS")
      ->check(form_of(object_to_listen))
      ->allow_extra_args(false);
}

void add_serve_command(CLI::App& app, cli::Action& action) {
  auto options = std::make_shared<ServeCall>();
  CLI::App* command = app.add_subcommand(
      "serve", "Run the relay. Everything has a default: no configuration file is needed.");
  add_serve_options(*command, *options);
  command->footer(
      "  ringpost serve --data-dir ~/ringpost\n"
      "  ringpost serve --config /etc/ringpost.toml --set log.level=debug\n"
      "\n"
      "Ctrl-C or SIGTERM stops it; deliveries that are pending then continue after the next "
      "start.\n"
      "\n"
      "Exit codes: 0 stopped in order; 1 could not start; 2 wrong usage.");
  command->callback([&action, options] { action = [options] { return run_serve(*options); }; });
}

void add_check_command(CLI::App& app, cli::Action& action) {
  struct CheckOptions {
    ServeCall call;
    bool example = false;
    bool json = false;
  };
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand(
      "check-config", "Check a configuration file; print each error with line and column");
  command->add_option("FILE,--config", options->call.config_file, "Configuration file (TOML)")
      ->type_name("FILE");
  command
      ->add_option("--set", options->call.assignments,
                   "Override a configuration key: section.key=value; repeatable")
      ->type_name("KEY=VALUE")
      ->check(form_of(object_to_assignment))
      ->allow_extra_args(false);
  command->add_flag("--example", options->example, "Print a commented example with every key");
  command->add_flag("--json", options->json, "Print the verdict as JSON");
  command->footer("Exit codes: 0 valid; 1 not valid; 2 wrong usage.");
  command->callback([&action, options] {
    action = [options] {
      if (options->example) {
        std::fwrite(example_config().data(), 1, example_config().size(), stdout);
        return 0;
      }
      if (options->call.config_file.empty() && options->call.assignments.empty()) {
        return cli::report_usage({"check-config needs a FILE, --set or --example"});
      }
      return run_check(options->call, options->json);
    };
  });
}

struct DoctorOptions {
  ServeCall call;
  std::vector<std::string> urls;
  bool json = false;
};

int print_findings(const Findings& findings, bool as_json) {
  if (as_json) {
    std::printf("%s\n", cli::shown_json(to_json(findings)).c_str());
  } else {
    std::printf("%s", cli::shown_lines(to_text(findings), "", SIZE_MAX).c_str());
  }
  return all_well(findings) ? 0 : 1;
}

int run_doctor(const DoctorOptions& options) {
  io::PosixDisk disk;
  Findings findings = examine(disk, options.call);
  const ConfigResult read = load_config(options.call);
  if (!read.problems.empty()) return print_findings(findings, options.json);  // They are in there.
  std::ranges::move(examine_own_servers(read.config), std::back_inserter(findings));
  for (const std::string& url : options.urls) {
    std::ranges::move(try_receiver(read.config, {.url = url}), std::back_inserter(findings));
  }
  return print_findings(findings, options.json);
}

int run_check_receiver(const cli::ReceiverCheck& check) {
  const ConfigResult read =
      load_config({.config_file = check.config_file, .assignments = check.assignments});
  if (report(read.problems) != 0) return 1;
  const Receiver receiver{.url = check.url, .ca_pem = check.ca_pem, .verify = check.verify};
  Findings findings = try_receiver(read.config, receiver);
  const bool by_defaults = check.config_file.empty() && check.assignments.empty();
  for (Finding& finding : findings) {
    const bool may_differ = by_defaults && finding.verdict == Finding::Verdict::failure &&
                            (finding.subject == "policy" || finding.subject == "TLS");
    if (may_differ) {
      finding.remedy +=
          "; the defaults were asked: if the relay has others, give its --config or --set";
    }
  }
  return print_findings(findings, check.json);
}

void add_doctor_command(CLI::App& app, cli::Action& action) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* command = app.add_subcommand(
      "doctor", "Examine this machine: has a relay what it needs? With --url: can it deliver?");
  add_serve_options(*command, options->call);
  command
      ->add_option("--url", options->urls,
                   "Also connect to this receiver, step by step, with a HEAD request; repeatable")
      ->type_name("URL")
      ->allow_extra_args(false);
  command->add_flag("--json", options->json, "Print the findings as JSON");
  command->footer(
      "Give it the options of ringpost serve, and run it as the relay's user. It changes nothing, "
      "and may\n"
      "run beside the relay. Where [forward] or [tracing] is configured it connects to the central "
      "relay and\n"
      "to the collector, step by step, with requests that change nothing there.\n"
      "\n"
      "  ringpost doctor --config /etc/ringpost.toml --url https://ci.example.org/hook\n"
      "\n"
      "Exit codes: 0 nothing fails (see the warnings all the same); 1 something fails; 2 wrong "
      "usage.");
  command->callback([&action, options] { action = [options] { return run_doctor(*options); }; });
}

int run_rotate(const ServeCall& call) {
  const ConfigResult result = load_config(call);
  if (report(result.problems) != 0) return 1;
  return rotate_secrets(result.config);
}

int run_offline_token(const cli::OfflineToken& token) {
  ServeCall call;
  call.config_file = token.config_file;
  call.data_dir = token.data_dir;
  call.assignments = token.assignments;
  const ConfigResult result = load_config(call);
  if (report(result.problems) != 0) return 1;
  return add_admin_token(result.config, token.name, token.file);
}

std::optional<std::string> find_data_directory(const std::string& config_file,
                                               const std::optional<std::string>& data_dir) {
  const ConfigResult result = load_config({.config_file = config_file, .data_dir = data_dir});
  if (report(result.problems) != 0) return std::nullopt;
  return result.config.data_dir;
}

/// The doctor may name what is wrong with the configuration, and goes on.
std::vector<cli::SupportSection> support_facts(const std::string& config_file,
                                               const std::optional<std::string>& data_dir) {
  io::PosixDisk disk;
  const ServeCall call{.config_file = config_file, .data_dir = data_dir};
  Findings findings = examine(disk, call);
  for (Finding& finding : findings) {
    const bool quotes =
        finding.subject == "configuration" && finding.verdict != Finding::Verdict::ok;
    if (quotes) finding.text = "it has a fault: ringpost check-config says where";
  }
  return {{"machine", to_text(findings)},
          {"configuration", masked_config(config_file)},
          {"files", listed_files(load_config(call).config.data_dir)}};
}

void add_secrets_commands(CLI::App& app, cli::Action& action) {
  auto options = std::make_shared<ServeCall>();
  CLI::App* group = app.add_subcommand(
      "secrets", "Manage the key that encrypts the secrets in the data directory");
  group->require_subcommand(1);
  group->footer(cli::exit_codes_alone);
  CLI::App* rotate = group->add_subcommand(
      "rotate",
      "Encrypt all secrets with a new key and remove the old one; the relay must be stopped");
  add_config_options(*rotate, *options);
  rotate->footer(
      std::string{
          "If it is interrupted, run it again, now or later: the relay starts in any case.\n\n"} +
      cli::exit_codes_alone);
  rotate->callback([&action, options] { action = [options] { return run_rotate(*options); }; });

  CLI::App* hash = app.add_subcommand(
      "hash-password",
      "Read a password from standard input and print its hash for a [[user]] table");
  hash->footer(cli::exit_codes_alone);
  hash->callback([&action] { action = hash_password; });
}

/// What the manual says beyond the commands.
cli::ManualNotes manual_notes() {
  cli::ManualNotes notes;
  notes.version = std::string("ringpost ") + version;
  notes.page_for_each_command = true;
  notes.sections = {
      {"environment",
       "RINGPOST_URL - The relay that the client commands talk to; default: "
       "http://127.0.0.1:8420.\n\n"
       "RINGPOST_TOKEN - The token for it, or @FILE for a file that contains it.\n\n"
       "RINGPOST_SECRET - The secret that ringpost webhook add gives to the new webhook.\n\n"
       "NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS, CREDENTIALS_DIRECTORY, JOURNAL_STREAM - Set by "
       "systemd for ringpost serve: it reports when it serves, reloads and stops, answers the "
       "watchdog, uses the sockets of a socket unit for the listeners with their addresses, and "
       "finds the files that the configuration names as @credential:NAME."},
      {"files",
       "DIR/admin.token - The first token, with every scope; written by the first start into the "
       "data "
       "directory DIR. Create others and remove this one: ringpost token add, ringpost token "
       "remove. If it is "
       "lost: ringpost token add --data-dir DIR, while the relay is stopped.\n\n"
       "DIR.key - The key that encrypts the secrets in DIR, unless the configuration names another "
       "file. Keep "
       "a copy elsewhere.\n\n"
       "FILE.toml - The configuration, for --config: ringpost check-config --example prints one "
       "with "
       "every key. None is needed."}};
  notes.sections.push_back(
      {"signals",
       "ringpost serve handles:\n\n"
       "SIGTERM, SIGINT, SIGPWR, SIGXCPU - Stop in order; a second signal stops without waiting "
       "for deliveries in flight.\n\n"
       "SIGHUP - Read the configuration again.\n\n"
       "SIGQUIT - End at once, like SIGKILL, with one line on standard error; no acknowledged "
       "event is lost.\n\n"
       "All other signals that would end a process are ignored."});
  notes.examples =
      "  ringpost serve --data-dir ~/ringpost\n"
      "  export RINGPOST_TOKEN=$(cat ~/ringpost/admin.token)\n"
      "  ringpost webhook add --url https://ci.example.org/in --source 'app/*' --event 'build/*'\n"
      "  ringpost send --type build/finished --source app/c0ffee1234abcd56 --data "
      "'{\"build_number\":128}'\n"
      "  ringpost status";
  notes.see_also = {"ringpost-journal", "ringpost-sink"};
  return notes;
}

}  // namespace
}  // namespace ringpost::server

namespace ringpost {
namespace {

int run(int argc, char** argv) {
  CLI::App app{"ringpost: a durable relay for CI/CD webhooks", "ringpost"};
  app.set_version_flag("--version", std::string("ringpost ") + version);
  app.require_subcommand(1);
  app.get_formatter()->column_width(32);
  app.footer(
      "ringpost COMMAND --help explains each command. Secrets and tokens come from files, standard "
      "input\n"
      "or the environment, never from arguments.\n\n"
      "Exit codes: 0 done; 1 refused or not done, and why; 2 wrong usage; 3 the relay cannot be "
      "reached.");

  cli::Session session;
  cli::Action action;
  server::add_serve_command(app, action);
  server::add_check_command(app, action);
  server::add_doctor_command(app, action);
  server::add_secrets_commands(app, action);
  cli::add_send_command(app, session, action);
  cli::add_webhook_commands(app, session, action, server::run_check_receiver);
  cli::add_delivery_commands(app, session, action);
  cli::add_listen_command(app, session, action);
  cli::add_source_commands(app, session, action);
  cli::add_event_commands(app, session, action);
  cli::add_replay_commands(app, session, action);
  cli::add_token_commands(app, session, action, server::run_offline_token);
  cli::add_user_commands(app, session, action);
  cli::add_forward_commands(app, session, action);
  cli::add_audit_commands(app, session, action, server::find_data_directory);
  cli::add_backup_commands(app, action, server::find_data_directory);
  cli::add_support_bundle_command(app, session, action, server::support_facts);
  cli::add_status_command(app, session, action);
  cli::add_top_command(app, session, action);
  cli::add_config_command(app, session, action);
  cli::add_open_command(app, session, action);
  cli::add_reload_command(app, session, action);
  cli::add_signature_commands(app, action);
  cli::add_version_command(app, action);
  cli::add_completion_command(app, action);
  if (const auto done = cli::write_manual(app, argc, argv, server::manual_notes())) return *done;
  try {
    cli::parse(app, argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli::report_parse_error(app, error, cli::exit_usage);
  }
  return action();
}

}  // namespace
}  // namespace ringpost

int main(int argc, char** argv) {
  ringpost::io::secure_process();
  try {
    return ringpost::cli::finish_output("ringpost", ringpost::run(argc, argv));
  } catch (
      const std::exception& error) {  // Start-up and client commands only: shards throw nothing.
    std::fprintf(stderr, "ringpost: %s\n", error.what());
    return 1;
  }
}
