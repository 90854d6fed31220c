#pragma once

#include "base/clock.h"
#include "cli/client.h"
#include "cli/input.h"
#include "dialect/dialect.h"
#include "load/bystanders.h"
#include "load/event_maker.h"
#include "load/schedule.h"
#include "sink/scenario.h"
#include "subscription/webhook.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::load {

/// Exit codes, as `--help` states them.
inline constexpr int exit_done = 0;
inline constexpr int exit_faults = 1;  ///< Requests failed, or deliveries did.
inline constexpr int exit_usage = 2;
inline constexpr int exit_unreachable = 3;  ///< No answer, or not the kind of target that was said.
inline constexpr int exit_invalid = 4;      ///< The generator was late.

/// The command line of a run, as it was given.
struct RunOptions {
  bool to_relay = true;
  // Target.
  std::string url;
  std::string token_from;
  std::string ca_file;
  bool insecure = false;
  std::vector<std::string> owned_hosts;
  // How much, how long.
  std::string rate;
  std::string duration;  ///< Empty: 10 s, or the whole of a replay.
  uint64_t count = 0;    ///< 0: no limit.
  bool closed = false;
  std::string arrivals = "even";
  std::string sweep;
  uint32_t sweep_steps = 8;
  std::string p99_limit;
  uint32_t connections = 64;
  std::string warm_up = "0s";
  std::string timeout = "30s";
  std::string drain = "30s";
  uint64_t seed = 1;
  // What.
  std::vector<std::string> types;
  std::vector<std::string> sources;
  std::string data;
  std::string size = "256";
  uint64_t keys = 0;
  bool no_ids = false;
  uint64_t batch = 1;
  std::string replay_file;
  bool new_ids = false;
  double speed = 1;
  std::vector<std::string> dialects;
  std::vector<sink::Secret> secrets;
  std::vector<std::string> settings;
  bool is_unsigned = false;
  // Receiver in this process.
  bool sink = false;
  uint64_t fan_out = 0;  ///< 0: one webhook of each dialect.
  // What to watch and to write.
  std::vector<int> pids;
  bool json = false;
  bool quiet = false;
  std::string hgrm_file;
  std::string html_file;
  std::string svg_file;
};

/// Adds the options of `relay` or `receiver` to a command.
void add_run_options(CLI::App& command, RunOptions& options);

/// A run's options, read and checked.
struct RunSetup {
  std::vector<Stage> stages;  ///< Empty: closed loop, or a replay by its own times.
  bool closed = false;
  Arrivals arrivals = Arrivals::even;
  double seconds = 0;  ///< May be infinite.
  Duration warm_up{};
  Duration timeout{};
  Duration drain{};
  std::vector<double> sweep_rates;
  Duration p99_limit{};                           ///< Zero: none.
  EventForm form;                                 ///< For a relay.
  std::vector<EventForm> request_forms;           ///< For a receiver: one for each dialect.
  std::vector<const dialect::Dialect*> dialects;  ///< At least one.
  uint64_t fan_out = 1;                           ///< With a receiver in this process.
  std::vector<std::string> recorded;              ///< Events of a file.
  EventNames names;                               ///< For a relay.
  std::vector<Duration> recorded_at;              ///< When each is due; empty: by the rate.
};

/// Reads and checks them all; reads the files that they name.
cli::Usable<RunSetup> set_up(const RunOptions& options);

/// The webhooks whose requests a receiver gets in turn: one of each dialect.
cli::Usable<std::vector<subscription::Webhook>> receiver_webhooks(
    const RunOptions& options, const RunSetup& setup, const subscription::Destination& destination);

/// Whether traffic may go there: to this machine, or to the host whose owner asks for it.
/// @returns why not; empty: it may.
std::string object_to_target(const io::Address& address, const std::string& host,
                             std::span<const std::string> owned_hosts);

bool is_this_machine(const io::Address& address);

/// Reads `1024`, `16KiB` or a range `500-4KiB`.
cli::Usable<std::pair<uint64_t, uint64_t>> parse_sizes(std::string_view text);

/// The rates of a sweep `FROM-TO`: each higher than the one before by the same factor.
cli::Usable<std::vector<double>> parse_sweep(std::string_view text, uint32_t steps);

/// The events of recorded NDJSON, and when each is due: by its `time`, `speed` times as fast.
struct Recording {
  std::vector<std::string> events;
  std::vector<Duration> due;
};
/// @param timed  false: times are not needed, and not looked at.
cli::Usable<Recording> read_recording(std::string_view text, double speed, bool timed);

/// The words of a command line for a scenario file: `key = value` for each long option of the
/// command, in TOML. Errors name the file's line.
cli::Usable<std::vector<std::string>> read_scenario(const std::string& file,
                                                    const CLI::App& command);

}  // namespace ringpost::load
