#include "cli/text.h"
#include "load/clock.h"
#include "load/figures.h"
#include "load/report.h"

#include <algorithm>

namespace ringpost::load {
namespace {

constexpr size_t label_width = 20;
/// How much less than what was offered still counts as keeping up.
constexpr double kept_up_share = 0.95;

std::string count_text(uint64_t number) {
  return cli::grouped(number);
}

std::vector<std::string> latency_row(const std::string& name, const LatencyHistogram& histogram) {
  std::vector<std::string> row{name};
  for (const double share : {0.5, 0.9, 0.99, 0.999}) {
    row.push_back(duration_text(histogram.quantile(share)));
  }
  row.push_back(duration_text(histogram.max()));
  row.push_back(duration_text(histogram.mean()));
  return row;
}

std::string latency_table(const RunResults& run, const std::string& command) {
  cli::Table table({"", "p50", "p90", "p99", "p99.9", "max", "mean"});
  const std::string latency = command == "relay" ? "due to accepted" : "due to answered";
  if (run.latency.count() > 0) {
    table.add(latency_row(run.open_loop ? latency : "sent to answered", run.latency));
  }
  if (run.sink && run.sink->delivery.count() > 0) {
    table.add(latency_row("accepted to delivered", run.sink->delivery));
    if (run.open_loop) table.add(latency_row("due to delivered", run.sink->whole_way));
  }
  if (run.lateness.count() > 0) table.add(latency_row("generator late by", run.lateness));
  return table.empty() ? "" : table.to_text();
}

void add_process(cli::Rows& rows, const ProcessUse& use, const RunResults& run) {
  std::string text =
      decimal_text(use.user_s, 2) + " s user, " + decimal_text(use.system_s, 2) + " s system";
  const auto each = [&](uint64_t count, const char* what) {
    if (count == 0) return;
    text += ", " + decimal_text(use.cpu_s() * 1e6 / static_cast<double>(count), 1) + " us " + what;
  };
  if (run.relay) {
    each(run.relay->accepted, "an event");
    each(run.sink ? run.sink->delivered : run.relay->deliveries, "a delivery");
  } else {
    each(run.succeeded + run.warm_up_requests, "a request");
  }
  const std::string name = use.name + " (" + std::to_string(use.pid) + ")";
  rows.add("CPU of " + name, text + (use.ended ? "; it ended during the run" : ""));
  rows.add("memory", decimal_text(static_cast<double>(use.resident_bytes_last) / 1048576, 1) +
                         " MiB resident at the end, at most " +
                         decimal_text(static_cast<double>(use.resident_bytes_max) / 1048576, 1) +
                         " MiB");
  if (use.descriptors_max > 0) {
    rows.add("descriptors", count_text(use.descriptors_last) + " at the end, at most " +
                                count_text(use.descriptors_max));
  }
}

std::string run_text(const RunResults& run, const Report& report) {
  const char* unit = report.command == "relay" ? " events/s" : " requests/s";
  cli::Rows rows(label_width);
  if (run.open_loop) rows.add("offered", number_text(run.offered_rate) + unit);
  rows.add("achieved", number_text(run.achieved_rate()) + unit + " over " +
                           decimal_text(run.seconds, 1) + " s");
  rows.add("requests", count_text(run.requests) + " on " + count_text(run.connections) +
                           " connections; " + count_text(run.succeeded) + " succeeded, " +
                           count_text(run.failed) + " failed");
  if (run.warm_up_requests > 0) {
    rows.add("warm-up", count_text(run.warm_up_requests) + " requests, not measured");
  }
  if (run.waited > 0) {
    rows.add("waited", count_text(run.waited) +
                           " requests were due when no connection was free; that time counts");
  }
  if (run.relay) {
    rows.add("events accepted", count_text(run.relay->accepted));
    if (run.relay->duplicates > 0) rows.add("duplicate events", count_text(run.relay->duplicates));
    rows.add("deliveries", count_text(run.relay->deliveries) + " asked for" +
                               (run.relay->unmatched > 0 ? ", " + count_text(run.relay->unmatched) +
                                                               " events match no webhook"
                                                         : ""));
  }
  if (run.sink) {
    const SinkResults& sink = *run.sink;
    rows.add("delivered", count_text(sink.delivered) + " of " + count_text(sink.expected) + ": " +
                              count_text(sink.missing) + " missing, " +
                              count_text(sink.duplicates) + " duplicates, " +
                              count_text(sink.out_of_order) + " out of order");
    rows.add("signatures", count_text(sink.signatures_good) + " good, " +
                               count_text(sink.signatures_bad) + " bad, " +
                               count_text(sink.unsigned_requests) + " without");
  }
  if (report.relay_counters && report.runs.size() == 1) {
    const RelayCounters& counters = *report.relay_counters;
    rows.add("the relay counted", count_text(counters.events_accepted) + " events, " +
                                      count_text(counters.deliveries_delivered) + " of " +
                                      count_text(counters.deliveries_created) +
                                      " deliveries delivered, " +
                                      count_text(counters.attempts_failed) + " failed attempts");
  }
  for (const ProcessUse& use : run.processes) add_process(rows, use, run);
  std::string text = rows.take() + "\n" + latency_table(run, report.command);
  if (!run.errors.empty()) {
    cli::Table errors({"errors", ""});
    for (const auto& [kind, count] : run.errors) {
      errors.add({count_text(count), cli::shown(kind)});
    }
    text += "\n" + errors.to_text();
    if (!run.first_refusal.empty()) text += "first refusal: " + run.first_refusal + "\n";
  }
  return text;
}

/// What is to be said of a run of a sweep.
std::string sweep_note(const RunResults& run, const Report& report) {
  if (!why_invalid(run).empty()) return "generator late";
  if (!report.knee || run.offered_rate > *report.knee * 1.001) return "beyond";
  return "";
}

std::string sweep_text(const Report& report) {
  const auto rows = sweep_table(report);
  cli::Table table(rows.front());
  for (size_t index = 1; index < rows.size(); ++index) table.add(rows[index]);
  return table.to_text() + "\n" + knee_text(report) + "\n";
}

/// Why the deliveries did not keep up; empty: they did.
std::string why_deliveries_lag(const RunResults& run, Duration p99_limit) {
  const SinkResults& sink = *run.sink;
  if (sink.missing > 0) return count_text(sink.missing) + " deliveries did not arrive";
  // What falls behind by a share of the rate is late by this share of the time at the end.
  const Duration p99 = sink.whole_way.quantile(0.99);
  if (to_seconds(p99) > (1 - kept_up_share) * run.seconds ||
      (p99_limit > Duration::zero() && p99 > p99_limit)) {
    return "p99 until the delivery was " + duration_text(p99);
  }
  return "";
}

}  // namespace

std::string why_beyond_knee(const RunResults& run, Duration p99_limit) {
  if (run.failed > 0) return count_text(run.failed) + " requests failed";
  if (run.achieved_rate() < kept_up_share * run.offered_rate) {
    return "only " + number_text(run.achieved_rate()) + " of " + number_text(run.offered_rate) +
           " a second were done";
  }
  const Duration p99 = run.latency.quantile(0.99);
  if (p99_limit > Duration::zero() && p99 > p99_limit) return "p99 was " + duration_text(p99);
  return run.sink ? why_deliveries_lag(run, p99_limit) : "";
}

std::string knee_text(const Report& report) {
  if (report.knee) {
    return "highest rate that the target kept up with: " + number_text(*report.knee) +
           (report.command == "relay" ? " events/s" : " requests/s");
  }
  if (!report.runs.empty() && !why_invalid(report.runs.front()).empty()) {
    return "the generator was late at the lowest rate, so this says nothing of the target";
  }
  return "the target did not keep up with the lowest rate";
}

std::vector<std::vector<std::string>> sweep_table(const Report& report) {
  const bool sink =
      std::ranges::any_of(report.runs, [](auto& run) { return run.sink.has_value(); });
  const bool cpu =
      std::ranges::any_of(report.runs, [](auto& run) { return run.cpu_us_each().has_value(); });
  std::vector<std::vector<std::string>> rows{
      {"offered/s", "achieved/s", "p50", "p99", "p99.9", "max"}};
  if (sink) rows.front().emplace_back("delivered p99");
  if (cpu) rows.front().emplace_back(report.command == "relay" ? "CPU/event" : "CPU/request");
  rows.front().insert(rows.front().end(), {"failed", "note"});
  for (const RunResults& run : report.runs) {
    auto& row = rows.emplace_back();
    row = {number_text(run.offered_rate), number_text(run.achieved_rate())};
    for (const double share : {0.5, 0.99, 0.999}) {
      row.push_back(duration_text(run.latency.quantile(share)));
    }
    row.push_back(duration_text(run.latency.max()));
    if (sink) row.push_back(run.sink ? duration_text(run.sink->whole_way.quantile(0.99)) : "");
    const auto us = run.cpu_us_each();
    if (cpu) row.push_back(us ? number_text(*us) + " us" : "");
    row.push_back(count_text(run.failed));
    row.push_back(sweep_note(run, report));
  }
  return rows;
}

std::string to_text(const Report& report) {
  std::string text = "ringpost-load " + report.command + " " + cli::shown(report.target) + "\n";
  if (report.sweep) return text + "\n" + sweep_text(report);
  for (const RunResults& run : report.runs) {
    if (run.interrupted) text += "interrupted: these are the results so far\n";
    text += "\n" + run_text(run, report);
    if (const std::string why = why_invalid(run); !why.empty()) {
      text += "\nINVALID: " + why + ".\n";
    }
  }
  return text;
}

}  // namespace ringpost::load
