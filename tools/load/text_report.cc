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
  rows.add("CPU of " + use.name + " (" + std::to_string(use.pid) + ")", cpu_text(use, run));
  rows.add("memory", decimal_text(static_cast<double>(use.resident_bytes_last) / 1048576, 1) +
                         " MiB resident at the end, at most " +
                         decimal_text(static_cast<double>(use.resident_bytes_max) / 1048576, 1) +
                         " MiB");
  if (use.descriptors_max > 0) {
    rows.add("descriptors", count_text(use.descriptors_last) + " at the end, at most " +
                                count_text(use.descriptors_max));
  }
}

/// Webhooks that were there before get the events, too, if they want all.
uint64_t deliveries_to_others(const RunResults& run) {
  if (!run.sink || run.relay->deliveries <= run.sink->expected) return 0;
  return run.relay->deliveries - run.sink->expected;
}

void add_relay(cli::Rows& rows, const RunResults& run) {
  const RelayTotals& relay = *run.relay;
  rows.add("events accepted", count_text(relay.accepted));
  if (relay.duplicates > 0) {
    rows.add("duplicate events",
             count_text(relay.duplicates) + ", which the relay had accepted before");
  }
  std::string text = count_text(relay.deliveries) + " asked for";
  if (const uint64_t others = deliveries_to_others(run); others > 0) {
    text += ", " + count_text(others) + " of them to other webhooks of the relay";
  }
  if (relay.unmatched > 0) text += ", " + count_text(relay.unmatched) + " events match no webhook";
  rows.add("deliveries", text);
}

void add_sink(cli::Rows& rows, const SinkResults& sink) {
  rows.add("delivered", count_text(sink.delivered) + " of " + count_text(sink.expected) + ": " +
                            count_text(sink.missing) + " missing, " + count_text(sink.duplicates) +
                            " duplicates, " + count_text(sink.out_of_order) + " out of order");
  rows.add("signatures", signatures_text(sink));
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
  if (run.relay) add_relay(rows, run);
  if (run.sink) add_sink(rows, *run.sink);
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

std::string interruption(const std::vector<RunResults>& runs) {
  return std::ranges::any_of(runs, &RunResults::interrupted)
             ? "interrupted: these are the results so far\n"
             : "";
}

std::string note_of(const RunResults& run, const Report& report) {
  if (is_harmed(run)) return "deliveries missing, or badly signed";
  if (!why_invalid(run).empty()) return "generator late";
  const bool kept_up = report.knee && run.offered_rate <= *report.knee * 1.001;
  return kept_up ? "" : why_beyond_knee(run, report.p99_limit);
}

std::string sweep_text(const Report& report) {
  const auto rows = sweep_table(report);
  cli::Table table(rows.front());
  for (size_t row = 1; row < rows.size(); ++row) table.add(rows[row]);
  return table.to_text() + "\n" + sweep_verdict(report) + "\n";
}

/// Why the deliveries did not keep up; empty: they did.
std::string why_deliveries_lag(const RunResults& run, Duration p99_limit) {
  // What falls behind by a share of the rate is late by this share of the time at the end.
  const Duration p99 = run.sink->whole_way.quantile(0.99);
  if (to_seconds(p99) > (1 - kept_up_share) * run.seconds ||
      (p99_limit > Duration::zero() && p99 > p99_limit)) {
    return "p99 until the delivery was " + duration_text(p99);
  }
  return "";
}

}  // namespace

std::string signatures_text(const SinkResults& sink) {
  std::string text = count_text(sink.signatures_good) + " good, " +
                     count_text(sink.signatures_bad) + " bad, " +
                     count_text(sink.unsigned_requests) + " without";
  if (sink.without_signing > 0) {
    text += "; " + count_text(sink.without_signing) + " requests of a dialect that does not sign";
  }
  return text;
}

std::string cpu_text(const ProcessUse& use, const RunResults& run) {
  std::string text =
      decimal_text(use.user_s, 2) + " s user, " + decimal_text(use.system_s, 2) + " s system";
  const auto each = [&](uint64_t count, const char* what) {
    if (count == 0) return;
    text += ", " + decimal_text(cpu_us_each(use, count), 1) + " us " + what;
  };
  if (run.relay) {
    each(run.relay->accepted, "an event");
    each(run.sink ? run.sink->delivered : run.relay->deliveries, "a delivery");
  } else {
    each(run.succeeded + run.warm_up_requests, "a request");
  }
  return text + (use.ended ? "; it ended during the run" : "");
}

double cpu_us_each(const ProcessUse& use, uint64_t count) {
  return count == 0 ? 0 : use.cpu_s() * 1e6 / static_cast<double>(count);
}

double cpu_us_each_done(const RunResults& run) {
  if (run.processes.empty()) return 0;
  const ProcessUse& use = run.processes.front();
  if (!run.relay) return cpu_us_each(use, run.succeeded + run.warm_up_requests);
  const uint64_t deliveries = run.sink ? run.sink->delivered : run.relay->deliveries;
  return cpu_us_each(use, deliveries > 0 ? deliveries : run.relay->accepted);
}

std::string what_is_done(const RunResults& run) {
  if (!run.relay) return "request";
  return run.sink || run.relay->deliveries > 0 ? "delivery" : "event";
}

std::vector<std::vector<std::string>> sweep_table(const Report& report) {
  const bool sink = !report.runs.empty() && report.runs.front().sink;
  const bool process = !report.runs.empty() && !report.runs.front().processes.empty();
  std::vector<std::vector<std::string>> rows{
      {"offered/s", "achieved/s", "p50", "p99", "p99.9", "max", "failed"}};
  if (sink) rows[0].insert(rows[0].end(), {"delivery p99", "missing"});
  if (process) rows[0].emplace_back("CPU us/" + what_is_done(report.runs.front()));
  rows[0].emplace_back("note");
  for (const RunResults& run : report.runs) {
    auto& row = rows.emplace_back(std::vector<std::string>{
        number_text(run.offered_rate), number_text(run.achieved_rate()),
        duration_text(run.latency.quantile(0.5)), duration_text(run.latency.quantile(0.99)),
        duration_text(run.latency.quantile(0.999)), duration_text(run.latency.max()),
        count_text(run.failed)});
    if (sink) row.push_back(run.sink ? duration_text(run.sink->delivery.quantile(0.99)) : "");
    if (sink) row.push_back(run.sink ? count_text(run.sink->missing) : "");
    if (process) row.push_back(decimal_text(cpu_us_each_done(run), 1));
    row.push_back(note_of(run, report));
  }
  return rows;
}

std::string sweep_verdict(const Report& report) {
  const std::string unit = report.command == "relay" ? " events/s" : " requests/s";
  if (report.knee) {
    return "Highest rate that the target kept up with: " + number_text(*report.knee) + unit;
  }
  const std::string why = why_no_knee(report);
  return why.empty() ? "The target did not keep up with the lowest rate" : "INVALID: " + why;
}

std::string why_no_knee(const Report& report) {
  return report.knee || report.runs.empty() ? "" : why_invalid(report.runs.front());
}

std::string why_beyond_knee(const RunResults& run, Duration p99_limit) {
  if (run.failed > 0) return count_text(run.failed) + " requests failed";
  if (run.sink && run.sink->missing > 0) {
    return count_text(run.sink->missing) + " deliveries did not arrive";
  }
  if (is_harmed(run)) return "requests were badly signed";
  if (run.achieved_rate() < kept_up_share * run.offered_rate) {
    return "only " + number_text(run.achieved_rate()) + " of " + number_text(run.offered_rate) +
           " a second were done";
  }
  const Duration p99 = run.latency.quantile(0.99);
  if (p99_limit > Duration::zero() && p99 > p99_limit) return "p99 was " + duration_text(p99);
  return run.sink ? why_deliveries_lag(run, p99_limit) : "";
}

std::string to_text(const Report& report) {
  std::string text = "ringpost-load " + report.command + " " + cli::shown(report.target) + "\n";
  if (report.sweep) return text + interruption(report.runs) + "\n" + sweep_text(report);
  text += interruption(report.runs);
  for (const RunResults& run : report.runs) {
    text += "\n" + run_text(run, report);
    if (const std::string why = why_invalid(run); !why.empty()) {
      text += "\nINVALID: " + why + ".\n";
    }
  }
  return text;
}

}  // namespace ringpost::load
