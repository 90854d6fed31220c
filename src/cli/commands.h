#pragma once

#include "base/clock.h"
#include "cli/client.h"
#include "cli/input.h"
#include "cli/text.h"

#include <CLI/CLI.hpp>
#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::cli {

/// What every client command says about its exit codes in `--help`.
inline constexpr const char* exit_codes =
    "Exit codes: 0 done; 1 the relay refused; 2 wrong usage; 3 the relay cannot be reached.";
/// The same for a command that asks no relay.
inline constexpr const char* exit_codes_alone =
    "Exit codes: 0 done; 1 not done, and why; 2 wrong usage.";

inline constexpr int exit_refused = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_unreachable = 3;

/// Commands run outside a ring, which reads the clock everywhere else.
WallTime wall_now();

/// Prints the problem. @returns exit_usage.
int report_usage(const UsageProblem& problem);

/// The relay's URL: `option`, or RINGPOST_URL, or the default where both are empty.
std::string relay_url(const std::string& option);

/// What the options on the command line were; shared by all client commands.
struct Session {
  ClientOptions client;    ///< Its URL and token are filled in by `connect`.
  std::string url;         ///< Of the relay; empty: RINGPOST_URL says, or it is the default.
  std::string token_from;  ///< Where the token is read from (read_secret).
  bool json = false;       ///< Machine-readable output: the relay's answers as they came.
  bool anonymous = false;  ///< Reads and sends no token.

  /// Sends a request and prints what prevents it: one line that says how to mend it, and the
  /// problem as JSON where JSON is wanted. @returns the answer of a success: JSON, or nothing.
  std::optional<Answer> call(std::string_view method, const std::string& target,
                             std::string_view body = {},
                             std::string_view content_type = "application/json");
  /// The two halves of `call`, for a command that looks at a refusal first. `exchange` returns any
  /// answer, or prints why there is none. `accept` prints as `call` does.
  /// @returns accept: whether it is a success.  @param lines_before  as of explain_refusal.
  std::optional<Answer> exchange(std::string_view method, const std::string& target,
                                 std::string_view body, std::string_view content_type);
  bool accept(const Answer& answer, std::string_view target, uint64_t lines_before = 0);
  /// As `exchange`, without a body, and prints nothing but problems with the options: after those
  /// there is a failure_code. @param problem  why no answer came.
  std::optional<Answer> request(std::string_view method, const std::string& target,
                                std::string& problem);
  /// As Client::follow; nothing after a problem with the options, which was printed.
  std::optional<Followed> follow(const std::string& target, const std::string& last_id,
                                 const std::function<bool(std::string_view)>& take);
  /// Prints why no answer came. @returns exit_unreachable.
  int report_unreachable(const std::string& problem);
  /// Asks `GET /readyz`, without a token, until it is answered with success or the time is up.
  /// Prints nothing: a caller goes on with its request, which says what is wrong.
  /// @returns whether the relay is ready, if that can be known.
  bool wait_until_ready(std::chrono::milliseconds wait_max);
  /// Deletes what is at `target`, and says so. @param then  what follows from that; may be empty.
  /// @returns the exit code.
  int remove(const std::string& target, const std::string& id, std::string_view then = {});
  /// Which part of a list: from the cursor of an earlier answer on, or from its beginning.
  struct Range {
    uint32_t limit = std::numeric_limits<uint32_t>::max();
    std::string cursor = {};
    std::string question = {};  ///< The body of a list that is asked for by POST.
  };
  /// Walks a list, page by page, over at most `limit` items. @returns false after a failure.
  bool for_each_item(const std::string& target, const Range& range,
                     const std::function<void(simdjson::dom::element)>& take);
  /// The id of what is named on the command line: `given` itself if it is an id; else that of the
  /// one item in the list at `target` whose `member` it is. Nothing after a problem, which was
  /// printed: no item has that name, or several do.
  /// @param list_command  shows what there is.
  std::optional<std::string> id_of(const std::string& given, const std::string& target,
                                   const char* member, const char* list_command);
  /// Prints what for_each_item found, unless JSON is wanted: then it is printed already.
  void print(const Table& table, const char* if_empty) const;
  /// The exit code after `call` returned nothing.
  int failure_code() const { return failure_code_; }

 private:
  Client* connect();

  std::unique_ptr<Client> client_;
  int failure_code_ = 0;
  std::string next_cursor_;  ///< Of the last list, if it has items beyond its limit.
};

/// Options that say which deliveries are meant; empty: any.
struct DeliveryFilter {
  std::string webhook;  ///< Its id; has no option of its own.
  std::string source;
  std::string type;
  std::string status;
  std::string error;
  std::string response_status;
  std::string since;
  std::string until;
};
void add_delivery_filter(CLI::App& command, DeliveryFilter& filter);
/// Those of them that say nothing of the time.
void add_result_filter(CLI::App& command, DeliveryFilter& filter,
                       const std::vector<std::string>& statuses);

/// What came of a delivery's first attempt, waited for at most `wait` (as read_duration reads it;
/// empty: not at all). @returns exit_refused if it failed, or has not ended by then.
int follow_delivery(Session& session, const std::string& id, const std::string& wait);
CLI::Option* add_wait_option(CLI::App& command, std::string& wait);

/// Reads an answer that `call` returned. `out` borrows from `parser`.
bool parse_answer(const Answer& answer, simdjson::dom::parser& parser, simdjson::dom::element& out);

/// A command that was chosen sets this; main runs it after parsing.
using Action = std::function<int()>;

/// Headings in `--help`, for options that several commands have.
inline constexpr const char* relay_group = "The relay";

/// `long_names`: `--relay` and `--relay-ca`, for a command whose own `--url` and `--ca` are those
/// of a webhook.
enum class RelayOptions : uint8_t { short_names, long_names };

/// Adds `--url`, `--token`, `--ca` and `--json` to a command, and its exit codes.
void add_session_options(CLI::App& command, Session& session,
                         RelayOptions names = RelayOptions::short_names);

/// Adds `--limit` and `--cursor` to a command that lists.
void add_range_options(CLI::App& command, uint32_t& limit, std::string& cursor);

/// Text under the options in `--help` and in the manual, and the exit codes after it. Paragraphs
/// are parted by empty lines; lines that begin with two spaces stay as they are.
void add_notes(CLI::App& command, const std::string& notes);

/// Values that help, completion and manual offer. The relay has the last word on what is good.
CLI::Option* suggest(CLI::Option* option, const std::vector<std::string>& values);

/// `sign` and `verify`, which ask no relay.
void add_signature_commands(CLI::App& app, Action& action);
void add_send_command(CLI::App& app, Session& session, Action& action);
/// A receiver to connect to from this machine, as `webhook check` found it at the relay.
struct ReceiverCheck {
  std::string url;
  std::string ca_pem;       ///< The webhook's own; empty: none.
  bool verify = true;       ///< Its certificate.
  std::string config_file;  ///< Whose network policy and roots count; empty: the defaults.
  std::vector<std::string> assignments;  ///< `section.key=value`, as the relay was given them.
  bool json = false;                     ///< Print the findings as JSON.
};
/// Prints what each step comes to. @returns the exit code.
using CheckReceiver = std::function<int(const ReceiverCheck&)>;
void add_webhook_commands(CLI::App& app, Session& session, Action& action,
                          const CheckReceiver& check_receiver);
void add_delivery_commands(CLI::App& app, Session& session, Action& action);
/// `delivery tail`.
void add_tail_command(CLI::App& deliveries, Session& session, Action& action);
void add_listen_command(CLI::App& app, Session& session, Action& action);
void add_event_commands(CLI::App& app, Session& session, Action& action);
void add_replay_commands(CLI::App& app, Session& session, Action& action);
/// What `token add --data-dir` says: make an admin token in the data directory of a stopped relay.
struct OfflineToken {
  std::string config_file;
  std::string data_dir;
  std::vector<std::string> assignments;  ///< As `serve --set`.
  std::string name;
  std::string file;  ///< Where to write it; empty: standard output.
};
/// @returns the exit code.
using MakeOfflineToken = std::function<int(const OfflineToken&)>;

/// `forward`: what goes to a central relay.
void add_forward_commands(CLI::App& app, Session& session, Action& action);
/// @param make_offline  done by the server, which knows data directories.
void add_token_commands(CLI::App& app, Session& session, Action& action,
                        MakeOfflineToken make_offline);
/// `user`: people who sign in to the console with a password.
void add_user_commands(CLI::App& app, Session& session, Action& action);
/// `source`: webhooks of git hosts that call the relay.
void add_source_commands(CLI::App& app, Session& session, Action& action);
/// A part of what `support-bundle` writes.
struct SupportSection {
  std::string title;
  std::string text;
  bool there = true;  ///< Otherwise `text` says why not.
};
/// What this machine tells: nothing in it is secret.
using LocalFacts = std::function<std::vector<SupportSection>(
    const std::string& config_file, const std::optional<std::string>& data_dir)>;
void add_support_bundle_command(CLI::App& app, Session& session, Action& action,
                                const LocalFacts& local_facts);
/// Version and libraries, as `version --json` prints them.
std::string version_json();
/// The data directory that a configuration file, or `--data-dir`, names; nothing after a problem
/// with them was printed.
using FindDataDirectory = std::function<std::optional<std::string>(
    const std::string& config_file, const std::optional<std::string>& data_dir)>;
void add_audit_commands(CLI::App& app, Session& session, Action& action,
                        const FindDataDirectory& find_data_directory);
/// `backup` and `restore`, which ask no relay.
void add_backup_commands(CLI::App& app, Action& action,
                         const FindDataDirectory& find_data_directory);
/// `audit gaps`.
void add_gaps_command(CLI::App& audit, Action& action,
                      const FindDataDirectory& find_data_directory);
/// `top`: the status, live.
void add_top_command(CLI::App& app, Session& session, Action& action);
void add_status_command(CLI::App& app, Session& session, Action& action);
/// `config`: what is in force.
void add_config_command(CLI::App& app, Session& session, Action& action);
/// `open`: a sign-in link to the console.
void add_open_command(CLI::App& app, Session& session, Action& action);
void add_reload_command(CLI::App& app, Session& session, Action& action);
void add_version_command(CLI::App& app, Action& action);
/// Writes scripts from the whole of `app`, as it is when the command runs.
void add_completion_command(CLI::App& app, Action& action);

}  // namespace ringpost::cli
