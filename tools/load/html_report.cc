#include "cli/text.h"
#include "load/figures.h"
#include "load/plots.h"
#include "load/report.h"
#include "load/svg_plot.h"
#include "ringpost/version.h"

namespace ringpost::load {
namespace {

constexpr const char* style =
    "body{font:15px/1.5 sans-serif;max-width:800px;margin:2em auto;padding:0 1em;"
    "color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top}"
    "td.n,th.n{text-align:right}td.n{white-space:nowrap}"
    ".bad{background:#fde8e8;border-left:4px solid #c00;padding:.5em 1em}"
    "svg{width:100%;height:auto;margin:1em 0}"
    "svg text{fill:currentColor}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
    ".bad{background:#411}}";

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
    html += row("signatures", signatures_text(*run.sink));
  }
  for (const ProcessUse& use : run.processes) {
    html += row("CPU of " + use.name, cpu_text(use, run));
    html +=
        row("memory of " + use.name,
            "at most " + decimal_text(static_cast<double>(use.resident_bytes_max) / 1048576, 1) +
                " MiB resident, " + cli::grouped(use.descriptors_max) + " descriptors");
  }
  return html + "</table>\n";
}

// --- parts ---------------------------------------------------------------------------------------

std::string svgs(const Report& report) {
  std::string html;
  for (const Plot& plot : plots_of(report)) html += to_svg(plot);
  return html;
}

std::string sweep_part(const Report& report) {
  std::string html = "<p>" + escaped(sweep_verdict(report)) + ".</p>\n<table>\n";
  const char* cell = "th";
  for (const std::vector<std::string>& cells : sweep_table(report)) {
    html += "<tr>";
    for (const std::string& text : cells) {
      html += std::string{"<"} + cell + " class=\"n\">" + escaped(text) + "</" + cell + ">";
    }
    html += "</tr>\n";
    cell = "td";
  }
  return html + "</table>\n";
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
  return warnings(run) + counts_table(run) + latency_table(run);
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
  html += svgs(report);
  return html + circumstances(report) + "</body>\n</html>\n";
}

}  // namespace ringpost::load
