#pragma once

#include "cli/client.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>

namespace ringpost::cli {

/// What every client command says about its exit codes in `--help`.
inline constexpr const char* exit_codes =
    "Exit codes: 0 done; 1 the relay refused; 2 wrong usage; 3 the relay cannot be reached.";

inline constexpr int exit_refused = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_unreachable = 3;

/// What the options on the command line were; shared by all client commands.
struct Session {
  ClientOptions client;
  bool json = false;  ///< Machine-readable output: the relay's answer as it came.

  /// The client, made at first use; nullptr after the problem was printed.
  Client* connect();

  /// Sends a request and prints what stands in its way. @returns the answer of a success.
  std::optional<Answer> call(std::string_view method, const std::string& target,
                             std::string_view body = {});
  /// Whether an answer is a success; prints a refusal, or the answer where JSON is wanted.
  bool accept(const Answer& answer);
  /// The exit code after `call` returned nothing.
  int failure_code() const { return failure_code_; }

 private:
  std::unique_ptr<Client> client_;
  int failure_code_ = 0;
};

/// A command that was chosen sets this; main runs it after parsing.
using Action = std::function<int()>;

/// Adds `--url`, `--token`, `--ca` and `--json` to a command.
/// `url_option` is `--relay` where the command has a `--url` of its own.
void add_session_options(CLI::App& command, Session& session,
                         const std::string& url_option = "--url,--relay");

/// `sign` and `verify`, which ask no relay.
void add_signature_commands(CLI::App& app, Action& action);
void add_send_command(CLI::App& app, Session& session, Action& action);
void add_webhook_commands(CLI::App& app, Session& session, Action& action);
void add_delivery_commands(CLI::App& app, Session& session, Action& action);
void add_token_commands(CLI::App& app, Session& session, Action& action);
void add_status_command(CLI::App& app, Session& session, Action& action);

}  // namespace ringpost::cli
