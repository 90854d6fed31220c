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
  Duration p99_limit{};  ///< Of a sweep; zero: none.
  /// Of a sweep: the highest rate that the target kept up with; nothing: not even the lowest.
  std::optional<double> knee;
  std::optional<RelayCounters> relay_counters;  ///< How the relay's own counters changed.
};

/// Why the target did not keep up in this run of a sweep; empty: it did. With a receiver in this
/// process, deliveries have to keep up as well as answers.
std::string why_beyond_knee(const RunResults& run, Duration p99_limit);

/// Why a sweep that found no rate to keep up with says nothing of its target: the generator was
/// late at the lowest rate. Empty: the target did not keep up with it.
std::string why_no_knee(const Report& report);

/// What a process used, in all and for each event, delivery or request.
std::string cpu_text(const ProcessUse& use, const RunResults& run);
/// CPU of a process for each of `count` things; 0: there was none.
double cpu_us_each(const ProcessUse& use, uint64_t count);
/// Of the first process that was watched: for each of what_is_done.
double cpu_us_each_done(const RunResults& run);
/// `delivery`, or `event` of a relay that delivers nothing, or `request` to a receiver.
std::string what_is_done(const RunResults& run);

/// The table of a sweep, its header first: a row for each rate.
std::vector<std::vector<std::string>> sweep_table(const Report& report);
/// What the sweep found, as a sentence without its full stop.
std::string sweep_verdict(const Report& report);
/// How many requests were signed well.
std::string signatures_text(const SinkResults& sink);

/// The table for a terminal.
std::string to_text(const Report& report);
/// One JSON object, with a line end; its members are in tools/load/README.md.
std::string to_json(const Report& report);
/// One HTML page that needs nothing else: tables, and plots as SVG.
std::string to_html(const Report& report);
/// The plots alone, one below the other, as one SVG file.
std::string to_svg(const Report& report);

}  // namespace ringpost::load
