// ringpost: the relay and its own client in one program.

#include "cli/commands.h"
#include "io/posix_disk.h"
#include "ringpost/version.h"
#include "server/config.h"
#include "server/key_file.h"
#include "server/secrets.h"
#include "server/serve.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace ringpost::server {
namespace {

struct ServeOptions {
  std::string config_file;
  std::string data_dir;
  std::vector<std::string> listen;
  std::vector<std::string> assignments;
};

int report(const std::vector<ConfigProblem>& problems) {
  for (const ConfigProblem& problem : problems) {
    std::fprintf(stderr, "%s\n", problem.to_text().c_str());
  }
  return problems.empty() ? 0 : 1;
}

int run_serve(const ServeOptions& options) {
  ConfigResult result = load_config(options.config_file, options.assignments);
  if (!options.listen.empty()) {
    result.config.listeners.clear();
    for (const std::string& text : options.listen) {
      const auto address = io::Address::parse(text);
      if (!address) {
        result.problems.push_back(
            {"--listen " + text, 0, 0, "must be 127.0.0.1:8420, [::1]:8420 or unix:/path"});
        continue;
      }
      ListenerConfig listener;
      listener.address = *address;
      result.config.listeners.push_back(std::move(listener));
    }
  }
  if (!options.data_dir.empty()) result.config.data_dir = options.data_dir;
  if (report(result.problems) != 0) return 1;
  return serve(result.config);
}

int run_check(const std::string& file, const std::vector<std::string>& assignments) {
  const ConfigResult result = load_config(file, assignments);
  if (report(result.problems) != 0) return 1;
  io::PosixDisk disk;
  if (const KeyFile keys = read_key_file(disk, result.config); !keys.keyring && !keys.absent) {
    std::fprintf(stderr, "%s\n", keys.problem.c_str());
    return 1;
  }
  std::printf("%s: ok\n", file.c_str());
  return 0;
}

void add_serve_command(CLI::App& app, cli::Action& action) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand(
      "serve", "Run the relay. Everything has a default: no configuration file is needed.");
  command->add_option("--config", options->config_file, "Configuration file (TOML)");
  command->add_option("--data-dir", options->data_dir, "Where journal and control store live");
  command->add_option("--listen", options->listen,
                      "IP:port or unix:/path; repeatable; replaces the configured listeners");
  command->add_option("--set", options->assignments, "section.key=value; repeatable");
  command->footer("Exit codes: 0 stopped in order; 1 could not start; 2 wrong usage.");
  command->callback([&action, options] { action = [options] { return run_serve(*options); }; });
}

void add_check_command(CLI::App& app, cli::Action& action) {
  struct CheckOptions {
    std::string file;
    std::vector<std::string> assignments;
    bool example = false;
  };
  auto options = std::make_shared<CheckOptions>();
  CLI::App* command =
      app.add_subcommand("check-config", "Say what is wrong with a configuration, with its place");
  command->add_option("FILE", options->file, "Configuration file (TOML)");
  command->add_option("--set", options->assignments, "section.key=value; repeatable");
  command->add_flag("--example", options->example, "Print a commented example with every key");
  command->footer("Exit codes: 0 it may be used; 1 it may not; 2 wrong usage.");
  command->callback([&action, options] {
    action = [options] {
      if (options->example) {
        std::fwrite(example_config().data(), 1, example_config().size(), stdout);
        return 0;
      }
      if (options->file.empty()) {
        std::fprintf(stderr, "ringpost: check-config needs a FILE, or --example\n");
        return cli::exit_usage;
      }
      return run_check(options->file, options->assignments);
    };
  });
}

int run_rotate(const ServeOptions& options) {
  ConfigResult result = load_config(options.config_file, options.assignments);
  if (!options.data_dir.empty()) result.config.data_dir = options.data_dir;
  if (report(result.problems) != 0) return 1;
  return rotate_secrets(result.config);
}

void add_secrets_commands(CLI::App& app, cli::Action& action) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* group = app.add_subcommand("secrets", "Keys of the secrets in the data directory");
  group->require_subcommand(1);
  CLI::App* rotate = group->add_subcommand(
      "rotate",
      "Seal all secrets with a new key and remove the old one; the relay must be stopped");
  rotate->add_option("--config", options->config_file, "Configuration file (TOML)");
  rotate->add_option("--data-dir", options->data_dir, "Where journal and control store live");
  rotate->add_option("--set", options->assignments, "section.key=value; repeatable");
  rotate->footer(
      "Killed in between, it may be run again; the relay can start at any time.\n"
      "Exit codes: 0 done; 1 not done, and why; 2 wrong usage.");
  rotate->callback([&action, options] { action = [options] { return run_rotate(*options); }; });

  CLI::App* hash = app.add_subcommand(
      "hash-password", "Read a password from standard input and print its hash for [[user]]");
  hash->footer("Exit codes: 0 done; 1 not done, and why; 2 wrong usage.");
  hash->callback([&action] { action = hash_password; });
}

}  // namespace
}  // namespace ringpost::server

int main(int argc, char** argv) {
  using namespace ringpost;
  CLI::App app{"ringpost: a durable relay for CI/CD webhooks", "ringpost"};
  app.set_version_flag("--version", std::string("ringpost ") + version);
  app.require_subcommand(1);
  app.get_formatter()->column_width(32);

  cli::Session session;
  cli::Action action;
  server::add_serve_command(app, action);
  server::add_check_command(app, action);
  server::add_secrets_commands(app, action);
  cli::add_send_command(app, session, action);
  cli::add_webhook_commands(app, session, action);
  cli::add_delivery_commands(app, session, action);
  cli::add_token_commands(app, session, action);
  cli::add_status_command(app, session, action);
  cli::add_signature_commands(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : cli::exit_usage;
  }
  return action();
}
