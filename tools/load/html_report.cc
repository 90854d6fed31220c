#include "cli/text.h"
#include "load/figures.h"
#include "load/report.h"
#include "load/svg_plot.h"
#include "ringpost/version.h"

#include <algorithm>
#include <cmath>

namespace ringpost::load {
namespace {

constexpr const char* style =
    "body{font:15px/1.5 sans-serif;max-width:800px;margin:2em auto;padding:0 1em;"
    "color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top}"
    "td.n,th.n{text-align:right}"
    ".bad{background:#fde8e8;border-left:4px solid #c00;padding:.5em 1em}"
    "svg{width:100%;height:auto;margin:1em 0}"
    "svg text{fill:currentColor}.grid{stroke:#8884;stroke-width:1}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
    ".bad{background:#411}}";

double in_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string row(const std::string& name, const std::string& value) {
  return "<tr><th>" + escaped(name) + "</th><td>" + escaped(value) + "</td></tr>\n";
}

// --- tables --------------------------------------------------------------------------------------

std::string latency_row(const std::string& name, const LatencyHistogram& histogram) {
  if (histogram.count() == 0) return "";
  std::string html = "<tr><th>" + escaped(name) + "</th>";
  for (const double share : {0.5, 0.9, 0.99, 0.999}) {
    html += "<td class=\"n\">" + duration_text(histogram.quantile(share)) + "</td>";
  }
  return html + "<td class=\"n\">" + duration_text(histogram.max()) + "</td></tr>\n";
}

std::string latency_table(const RunResults& run) {
  std::string html = "<table>\n<tr><th></th>";
  for (const char* name : {"p50", "p90", "p99", "p99.9", "max"}) {
    html += std::string{"<th class=\"n\">"} + name + "</th>";
  }
  html += "</tr>\n";
  html += latency_row(run.open_loop ? "due to answered" : "sent to answered", run.latency);
  if (run.sink) {
    html += latency_row("accepted to delivered", run.sink->delivery);
    html += latency_row("due to delivered", run.sink->whole_way);
  }
  html += latency_row("generator late by", run.lateness);
  return html + "</table>\n";
}

std::string counts_table(const RunResults& run) {
  std::string html = "<table>\n";
  if (run.open_loop) html += row("offered", number_text(run.offered_rate) + "/s");
  html += row("achieved",
              number_text(run.achieved_rate()) + "/s over " + decimal_text(run.seconds, 1) + " s");
  html += row("requests",
              cli::grouped(run.requests) + " on " + cli::grouped(run.connections) + " connections");
  html += row("succeeded", cli::grouped(run.succeeded));
  html += row("failed", cli::grouped(run.failed));
  for (const auto& [kind, count] : run.errors) html += row("– " + kind, cli::grouped(count));
  if (run.sink) {
    html += row("delivered",
                cli::grouped(run.sink->delivered) + " of " + cli::grouped(run.sink->expected));
    html += row("missing", cli::grouped(run.sink->missing));
    html += row("duplicates", cli::grouped(run.sink->duplicates));
    html += row("out of order", cli::grouped(run.sink->out_of_order));
    html += row("signatures", cli::grouped(run.sink->signatures_good) + " good, " +
                                  cli::grouped(run.sink->signatures_bad) + " bad, " +
                                  cli::grouped(run.sink->unsigned_requests) + " without");
  }
  for (const ProcessUse& use : run.processes) {
    html += row("CPU of " + use.name,
                decimal_text(use.user_s, 2) + " s user, " + decimal_text(use.system_s, 2) +
                    " s system; at most " +
                    decimal_text(static_cast<double>(use.resident_bytes_max) / 1048576, 1) +
                    " MiB resident");
  }
  return html + "</table>\n";
}

// --- plots ---------------------------------------------------------------------------------------

/// Each power of ten that remains above a percentile is as wide as the one before.
double percentile_place(double share) {
  return -std::log10(1 - share);
}

Series percentile_series(const std::string& name, const LatencyHistogram& histogram) {
  Series series{.name = name, .points = {}};
  if (histogram.count() == 0) return series;
  // The maximum has no place on this axis: it is put where one more value would have it.
  const double end = percentile_place(1 - 0.5 / static_cast<double>(histogram.count()));
  for (const auto& point : histogram.points()) {
    const double place = point.share < 1 ? percentile_place(point.share) : end;
    series.points.emplace_back(std::min(place, end), in_ms(point.value));
  }
  return series;
}

std::string percentile_plot(const RunResults& run) {
  Plot plot{.title = "Latency by percentile",
            .x_label = "percentile",
            .y_label = "ms",
            .series = {percentile_series("due to answered", run.latency)},
            .x_marks = {{0, "0"},
                        {percentile_place(0.9), "90"},
                        {percentile_place(0.99), "99"},
                        {percentile_place(0.999), "99.9"},
                        {percentile_place(0.9999), "99.99"},
                        {percentile_place(0.99999), "99.999"}}};
  if (!run.open_loop) plot.series.front().name = "sent to answered";
  if (run.sink) {
    plot.series.push_back(percentile_series("accepted to delivered", run.sink->delivery));
  }
  return to_svg(plot);
}

std::string time_plots(const RunResults& run) {
  Plot latency{.title = "Latency over time",
               .x_label = "seconds since the start",
               .y_label = "ms",
               .series = {{"p50", {}}, {"p99", {}}, {"max", {}}},
               .x_marks = {}};
  Plot rate{.title = "Requests over time",
            .x_label = "seconds since the start",
            .y_label = "per second",
            .series = {{"due", {}}, {"answered", {}}, {"failed", {}}},
            .x_marks = {}};
  for (const Interval& interval : run.timeline) {
    const double end = interval.begins_s + interval.seconds;
    if (interval.answered > 0) {
      latency.series[0].points.emplace_back(end, in_ms(interval.p50));
      latency.series[1].points.emplace_back(end, in_ms(interval.p99));
      latency.series[2].points.emplace_back(end, in_ms(interval.max));
    }
    if (interval.seconds < 0.5) continue;  // The rest of a second says no rate.
    const auto per_second = [&interval](uint64_t count) {
      return static_cast<double>(count) / interval.seconds;
    };
    rate.series[0].points.emplace_back(end, per_second(interval.due));
    rate.series[1].points.emplace_back(end, per_second(interval.answered));
    rate.series[2].points.emplace_back(end, per_second(interval.failed));
  }
  return to_svg(latency) + to_svg(rate);
}

std::string sweep_table_html(const Report& report) {
  std::string html = "<table>\n";
  const char* kind = "th";
  for (const auto& cells : sweep_table(report)) {
    html += "<tr>";
    for (const std::string& cell : cells) {
      html += std::string{"<"} + kind + " class=\"n\">" + escaped(cell) + "</" + kind + ">";
    }
    html += "</tr>\n";
    kind = "td";
  }
  return html + "</table>\n";
}

std::string sweep_part(const Report& report) {
  Plot throughput{.title = "Throughput against offered rate",
                  .x_label = "offered per second",
                  .y_label = "achieved per second",
                  .series = {{"achieved", {}}, {"offered", {}}},
                  .x_marks = {}};
  Plot latency{.title = "Latency against offered rate",
               .x_label = "offered per second",
               .y_label = "ms",
               .series = {{"p50", {}}, {"p99", {}}},
               .x_marks = {}};
  Plot cpu{.title = "CPU against offered rate",
           .x_label = "offered per second",
           .y_label = report.command == "relay" ? "us an event" : "us a request",
           .series = {{"CPU", {}}},
           .x_marks = {}};
  for (const RunResults& run : report.runs) {
    throughput.series[0].points.emplace_back(run.offered_rate, run.achieved_rate());
    throughput.series[1].points.emplace_back(run.offered_rate, run.offered_rate);
    latency.series[0].points.emplace_back(run.offered_rate, in_ms(run.latency.quantile(0.5)));
    latency.series[1].points.emplace_back(run.offered_rate, in_ms(run.latency.quantile(0.99)));
    if (const auto us = run.cpu_us_each()) cpu.series[0].points.emplace_back(run.offered_rate, *us);
  }
  return "<p>The result: <b>" + escaped(knee_text(report)) + "</b>.</p>\n" +
         sweep_table_html(report) + to_svg(throughput) + to_svg(latency) + to_svg(cpu);
}

std::string warnings(const RunResults& run) {
  std::string html;
  if (run.interrupted) html += "<p class=\"bad\">Interrupted: these are the results so far.</p>\n";
  if (const std::string why = why_invalid(run); !why.empty()) {
    html += "<p class=\"bad\"><b>Invalid:</b> " + escaped(why) + ".</p>\n";
  }
  return html;
}

std::string run_part(const RunResults& run) {
  return warnings(run) + counts_table(run) + latency_table(run) + percentile_plot(run) +
         time_plots(run);
}

std::string circumstances(const Report& report) {
  std::string html = "<h2>Circumstances</h2>\n<table>\n";
  if (!report.runs.empty()) {
    html += row("started", to_rfc3339(report.runs.front().started_at));
  }
  html += row("program", std::string{"ringpost-load "} + version);
  html += row("machine", report.machine.cpu + ", " + std::to_string(report.machine.cpus) +
                             " CPUs, " + report.machine.kernel);
  for (const auto& [name, value] : report.settings) html += row(name, value);
  return html + "</table>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>ringpost-load: " +
      escaped(report.target) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n";
  html +=
      "<h1>Load on a " + escaped(report.command) + "</h1>\n<p>" + escaped(report.target) + "</p>\n";
  if (report.sweep) {
    html += sweep_part(report);
  } else {
    for (const RunResults& run : report.runs) html += run_part(run);
  }
  return html + circumstances(report) + "</body>\n</html>\n";
}

}  // namespace ringpost::load
