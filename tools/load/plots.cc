#include "load/plots.h"

#include "load/figures.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace ringpost::load {
namespace {

/// A second that is cut short says no rate.
constexpr double whole_interval_s = 0.5;
constexpr size_t series_max = 6;

double in_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// --- of one run ----------------------------------------------------------------------------------

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

Plot percentile_plot(std::vector<Series> series) {
  return {.title = "Latency by percentile",
          .x_label = "percentile",
          .y_label = "ms",
          .series = std::move(series),
          .x_marks = {{0, "0"},
                      {percentile_place(0.9), "90"},
                      {percentile_place(0.99), "99"},
                      {percentile_place(0.999), "99.9"},
                      {percentile_place(0.9999), "99.99"},
                      {percentile_place(0.99999), "99.999"}}};
}

std::vector<Series> percentiles_of(const RunResults& run) {
  std::vector<Series> series{
      percentile_series(run.open_loop ? "due to answered" : "sent to answered", run.latency)};
  if (run.sink) {
    series.push_back(percentile_series("accepted to delivered", run.sink->delivery));
    if (run.open_loop) series.push_back(percentile_series("due to delivered", run.sink->whole_way));
  }
  return series;
}

Plot latency_over_time(const RunResults& run) {
  Plot plot{.title = "Latency over time",
            .x_label = "seconds since the start",
            .y_label = "ms",
            .series = {{"p50", {}}, {"p99", {}}, {"max", {}}},
            .x_marks = {}};
  for (const Interval& interval : run.timeline) {
    if (interval.answered == 0) continue;
    const double end = interval.begins_s + interval.seconds;
    plot.series[0].points.emplace_back(end, in_ms(interval.p50));
    plot.series[1].points.emplace_back(end, in_ms(interval.p99));
    plot.series[2].points.emplace_back(end, in_ms(interval.max));
  }
  return plot;
}

Plot rate_over_time(const RunResults& run) {
  Plot plot{.title = "Requests over time",
            .x_label = "seconds since the start",
            .y_label = "per second",
            .series = {{"due", {}}, {"answered", {}}, {"failed", {}}},
            .x_marks = {}};
  for (const Interval& interval : run.timeline) {
    if (interval.seconds < whole_interval_s) continue;
    const double end = interval.begins_s + interval.seconds;
    const auto add = [&](size_t index, uint64_t count) {
      plot.series[index].points.emplace_back(end, static_cast<double>(count) / interval.seconds);
    };
    add(0, interval.due);
    add(1, interval.answered);
    add(2, interval.failed);
  }
  return plot;
}

/// Of a run whose rate changed: second by second. Empty if it did not.
Plot throughput_of(const RunResults& run) {
  std::vector<std::pair<double, double>> points;
  for (const Interval& interval : run.timeline) {
    if (interval.seconds < whole_interval_s || interval.due == 0) continue;
    points.emplace_back(static_cast<double>(interval.due) / interval.seconds,
                        static_cast<double>(interval.answered) / interval.seconds);
  }
  std::ranges::sort(points);
  constexpr double changed = 1.5;
  if (points.size() < 3 || points.back().first < changed * points.front().first) return {};
  std::vector<std::pair<double, double>> offered;
  for (const auto& [rate, achieved] : points) offered.emplace_back(rate, rate);
  return {.title = "Throughput against offered rate, each second",
          .x_label = "requests due per second",
          .y_label = "answered per second",
          .series = {{"answered", std::move(points)}, {"offered", std::move(offered)}},
          .x_marks = {}};
}

void add_run(std::vector<Plot>& plots, const RunResults& run) {
  plots.push_back(percentile_plot(percentiles_of(run)));
  plots.push_back(latency_over_time(run));
  plots.push_back(rate_over_time(run));
  plots.push_back(throughput_of(run));
}

// --- of a sweep ----------------------------------------------------------------------------------

/// A plot over the offered rate.
Plot over_rate(const char* title, const char* y_label, std::vector<Series> series) {
  return {.title = title,
          .x_label = "offered per second",
          .y_label = y_label,
          .series = std::move(series),
          .x_marks = {}};
}

/// `value` of each run; runs for which it is 0 are left out.
Series each_run(const Report& report, const std::string& name,
                const std::function<double(const RunResults&)>& value) {
  Series series{.name = name, .points = {}};
  for (const RunResults& run : report.runs) {
    if (const double y = value(run); y > 0) series.points.emplace_back(run.offered_rate, y);
  }
  return series;
}

/// Of the lowest rates, and of the highest.
Plot percentiles_by_rate(const Report& report) {
  std::vector<Series> series;
  const size_t count = report.runs.size();
  for (size_t index = 0; index < count; ++index) {
    const bool shown = count <= series_max || index + 1 == count || index + 1 < series_max;
    if (!shown) continue;
    const RunResults& run = report.runs[index];
    series.push_back(percentile_series(number_text(run.offered_rate) + "/s", run.latency));
  }
  return percentile_plot(std::move(series));
}

void add_sweep(std::vector<Plot>& plots, const Report& report) {
  const auto quantile = [](double share) {
    return [share](const RunResults& run) { return in_ms(run.latency.quantile(share)); };
  };
  const auto delivery = [](double share) {
    return [share](const RunResults& run) {
      return run.sink ? in_ms(run.sink->delivery.quantile(share)) : 0;
    };
  };
  plots.push_back(over_rate(
      "Throughput against offered rate", "achieved per second",
      {each_run(report, "achieved", [](const RunResults& run) { return run.achieved_rate(); }),
       each_run(report, "offered", [](const RunResults& run) { return run.offered_rate; })}));
  plots.push_back(
      over_rate("Latency against offered rate", "ms",
                {each_run(report, "p50", quantile(0.5)), each_run(report, "p99", quantile(0.99)),
                 each_run(report, "delivery p50", delivery(0.5)),
                 each_run(report, "delivery p99", delivery(0.99))}));
  plots.push_back(percentiles_by_rate(report));
  const std::string what = report.runs.empty() ? "" : what_is_done(report.runs.front());
  plots.push_back(over_rate("CPU against offered rate", "us",
                            {each_run(report, "us each " + what, cpu_us_each_done)}));
}

bool has_points(const Plot& plot) {
  return std::ranges::any_of(plot.series,
                             [](const Series& series) { return !series.points.empty(); });
}

}  // namespace

std::vector<Plot> plots_of(const Report& report) {
  std::vector<Plot> plots;
  if (report.sweep) {
    add_sweep(plots, report);
  } else {
    for (const RunResults& run : report.runs) add_run(plots, run);
  }
  std::erase_if(plots, [](const Plot& plot) { return !has_points(plot); });
  for (Plot& plot : plots) {
    std::erase_if(plot.series, [](const Series& series) { return series.points.empty(); });
  }
  return plots;
}

std::string to_svg(const Report& report) {
  return to_svg_file(plots_of(report));
}

}  // namespace ringpost::load
