#pragma once

#include "load/process_watch.h"
#include "load/relay_target.h"
#include "load/results.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::load {

/// The results of one command: one run, or the runs of a sweep.
struct Report {
  std::string command;  ///< `relay` or `receiver`.
  std::string target;
  Machine machine;
  std::vector<std::pair<std::string, std::string>> settings;  ///< What was asked for.
  std::vector<RunResults> runs;
  bool sweep = false;
  /// Of a sweep: the highest rate that the target kept up with; nothing: not even the lowest.
  std::optional<double> knee;
  std::optional<RelayCounters> relay_counters;  ///< How the relay's own counters changed.
};

/// Why the target did not keep up in this run of a sweep; empty: it did. With a receiver in this
/// process, deliveries have to keep up as well as answers.
std::string why_beyond_knee(const RunResults& run, Duration p99_limit);

/// What a sweep found, in a sentence without its end.
std::string knee_text(const Report& report);
/// The table of a sweep, a row for each run; the first row has the names of the columns.
std::vector<std::vector<std::string>> sweep_table(const Report& report);

/// The table for a terminal.
std::string to_text(const Report& report);
/// One JSON object, with a line end; its members are in tools/load/README.md.
std::string to_json(const Report& report);
/// One HTML page that needs nothing else: tables, and plots as SVG.
std::string to_html(const Report& report);

}  // namespace ringpost::load
