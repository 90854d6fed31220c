#include "load/report.h"

#include "load/compare.h"
#include "load/figures.h"
#include "load/live_line.h"
#include "load/svg_plot.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <limits>

namespace ringpost::load {
namespace {

using std::chrono::milliseconds;

/// A thousand requests of 1 to 1,000 ms at 100/s, seven of them failed.
RunResults sample(double offered = 100) {
  RunResults run{.offered_rate = offered, .seconds = 10};
  for (int value = 1; value <= 993; ++value) run.latency.record(milliseconds{value});
  for (int value = 0; value < 1000; ++value) run.lateness.record(std::chrono::microseconds{40});
  run.requests = run.events = 1000;
  run.succeeded = run.events_succeeded = 993;
  run.failed = 7;
  run.errors = {{"status 503", 4}, {"<timed & out>", 3}};
  run.connections = 8;
  run.timeline.push_back({.begins_s = 0, .seconds = 1, .due = 100, .answered = 99, .failed = 1});
  run.timeline.push_back({.begins_s = 1, .seconds = 1, .due = 100, .answered = 100});
  return run;
}

Report report_of(RunResults run) {
  Report report{.command = "relay", .target = "http://127.0.0.1:1/\x1b<x>"};
  report.machine = {.kernel = "Linux", .cpu = "A & B", .cpus = 2};
  report.settings = {{"load", "100/s"}};
  report.runs.push_back(std::move(run));
  return report;
}

TEST(WhyInvalid, OnlyALateGeneratorInvalidatesARun) {
  RunResults run = sample();
  EXPECT_EQ(why_invalid(run), "");
  for (int value = 0; value < 20; ++value) run.lateness.record(milliseconds{150});
  EXPECT_NE(why_invalid(run).find("the generator was late"), std::string::npos);
  run.open_loop = false;
  EXPECT_EQ(why_invalid(run), "");
}

TEST(WhyInvalid, WakeUpsBelowAMillisecondAreNoFault) {
  RunResults run;
  for (int value = 0; value < 100; ++value) {
    run.latency.record(std::chrono::microseconds{300});
    run.lateness.record(std::chrono::microseconds{900});
  }
  EXPECT_EQ(why_invalid(run), "");
}

TEST(WhyInvalid, ABusyGeneratorThatFallsBehindIsTheLimit) {
  RunResults run = sample(1000);
  run.busy_share = 0.97;
  EXPECT_NE(why_invalid(run).find("97 % of the time"), std::string::npos);
  run.busy_share = 0.5;  // Then it is the target that is too slow.
  EXPECT_EQ(why_invalid(run), "");
  run = sample(100);  // Busy, and in time.
  run.busy_share = 0.97;
  EXPECT_EQ(why_invalid(run), "");
}

TEST(ToText, ShowsPercentilesAndErrorsAndNoControlBytes) {
  const std::string text = to_text(report_of(sample()));
  for (const char* part : {"99.3 events/s", "status 503", "p99.9", "due to accepted", "497 ms",
                           "984 ms", "1,000 on 8 connections", "generator late by"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("INVALID"), std::string::npos);
}

TEST(ToJson, IsReadAndComparedAgain) {
  Report report = report_of(sample());
  simdjson::dom::parser parser;
  const std::string text = to_json(report);
  simdjson::dom::element json = parser.parse(text);
  EXPECT_EQ(uint64_t{json.at_pointer("/runs/0/failed")}, 7u);
  EXPECT_EQ(uint64_t{json.at_pointer("/runs/0/errors/status 503")}, 4u);
  EXPECT_EQ(uint64_t{json.at_pointer("/runs/0/latency/max_us")}, 993'000u);
  EXPECT_TRUE(bool{json.at_pointer("/runs/0/valid")});
  EXPECT_EQ(simdjson::dom::array{json.at_pointer("/runs/0/timeline")}.size(), 2u);

  RunResults slower = sample(200);
  for (int value = 0; value < 993; ++value) slower.latency.record(milliseconds{2000});
  const auto compared = compare(text, to_json(report_of(slower)));
  const std::string table = std::get<std::string>(compared);
  EXPECT_NE(table.find("B / A"), std::string::npos);
  EXPECT_NE(table.find("2.00"), std::string::npos) << table;
}

TEST(Compare, RefusesWhatIsNoResult) {
  const std::string good = to_json(report_of(sample()));
  for (const std::string& bad : {std::string{"x"}, std::string{"{}"}, std::string{"[]"},
                                 std::string{R"({"program":"ringpost-load","runs":[]})"}}) {
    EXPECT_TRUE(std::holds_alternative<cli::UsageProblem>(compare(good, bad))) << bad;
    EXPECT_TRUE(std::holds_alternative<cli::UsageProblem>(compare(bad, good))) << bad;
  }
}

TEST(Compare, AsJsonGivesBothFiguresAndTheirRatio) {
  RunResults other = sample(200);
  other.failed = 0;
  const auto made =
      compare_as_json(to_json(report_of(sample())), to_json(report_of(std::move(other))));
  simdjson::dom::parser parser;
  const std::string& text = std::get<std::string>(made);
  simdjson::dom::element json = parser.parse(text);
  EXPECT_EQ(double{json.at_pointer("/runs/0/figures/offered_per_s/ratio")}, 2.0);
  EXPECT_EQ(double{json.at_pointer("/runs/0/figures/failed/a")}, 7.0);
  EXPECT_EQ(double{json.at_pointer("/runs/0/figures/failed/b")}, 0.0);
  EXPECT_EQ(double{json.at_pointer("/runs/0/figures/latency.p99_us/ratio")}, 1.0);
  EXPECT_TRUE(bool{json.at_pointer("/runs/0/valid")});
  EXPECT_TRUE(json.at_pointer("/knee_per_s/ratio").is_null());
  EXPECT_TRUE(std::holds_alternative<cli::UsageProblem>(compare_as_json("{}", text)));
}

TEST(IsHarmed, LossAndWrongSignaturesAreHarm) {
  RunResults run = sample();
  EXPECT_FALSE(is_harmed(run));
  run.sink = SinkResults{};
  run.sink->duplicates = run.sink->without_signing = run.sink->out_of_order = 5;
  EXPECT_FALSE(is_harmed(run));
  for (uint64_t SinkResults::*member :
       {&SinkResults::missing, &SinkResults::signatures_bad, &SinkResults::unsigned_requests}) {
    RunResults harmed = run;
    (*harmed.sink).*member = 1;
    EXPECT_TRUE(is_harmed(harmed));
    harmed.failed = 0;
    EXPECT_NE(why_beyond_knee(harmed, {}), "");
  }
}

TEST(Sweep, OneWhoseGeneratorWasLateFromTheBeginningProvesNothing) {
  Report report = report_of(sample());
  report.sweep = true;
  EXPECT_EQ(why_no_knee(report), "");
  EXPECT_EQ(sweep_verdict(report), "The target did not keep up with the lowest rate");
  for (int value = 0; value < 20; ++value) report.runs[0].lateness.record(milliseconds{150});
  EXPECT_NE(why_no_knee(report), "");
  EXPECT_TRUE(sweep_verdict(report).starts_with("INVALID: the generator was late"));
  report.knee = 100;
  EXPECT_EQ(why_no_knee(report), "");
}

TEST(Sweep, ShowsDeliveriesAndCpuIfTheyWereMeasured) {
  Report report = report_of(sample());
  report.sweep = true;
  EXPECT_EQ(to_text(report).find("missing"), std::string::npos);
  RunResults& run = report.runs[0];
  run.relay = RelayTotals{.accepted = 100, .deliveries = 200};
  run.sink = SinkResults{.delivered = 200, .missing = 3};
  run.processes.push_back({.name = "ringpost", .user_s = 0.01, .system_s = 0.02});
  const auto table = sweep_table(report);
  EXPECT_EQ(table[0][8], "missing");
  EXPECT_EQ(table[1][8], "3");
  EXPECT_EQ(table[0][9], "CPU us/delivery");
  EXPECT_EQ(table[1][9], "150.0");
}

TEST(ToText, DeliveriesToOtherWebhooksAreSaid) {
  Report report = report_of(sample());
  RunResults& run = report.runs[0];
  run.relay = RelayTotals{.accepted = 100, .deliveries = 300};
  run.sink = SinkResults{.delivered = 100, .expected = 100};
  EXPECT_NE(to_text(report).find("200 of them to other webhooks"), std::string::npos);
}

TEST(ToSvg, HasAllPlotsBelowEachOther) {
  Report report = report_of(sample());
  const std::string svg = to_svg(report);
  EXPECT_TRUE(svg.starts_with("<svg xmlns="));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  for (const char* part : {"Latency by percentile", "Latency over time", "Requests over time",
                           "translate(0 640.0)", "fill=\"#fff\""}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(svg.find("Throughput"), std::string::npos);
}

TEST(ToSvg, ARampShowsThroughputAgainstOfferedRate) {
  Report report = report_of(sample());
  for (uint64_t due : {150, 200, 250}) {
    report.runs[0].timeline.push_back(
        {.begins_s = 3, .seconds = 1, .due = due, .answered = due - 10});
  }
  EXPECT_NE(to_svg(report).find("Throughput against offered rate"), std::string::npos);
}

TEST(ToHtml, IsOnePageThatNeedsNothingElse) {
  const std::string html = to_html(report_of(sample()));
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(html.ends_with("</html>\n"));
  for (const char* part : {"&lt;timed &amp; out&gt;", "Latency by percentile", "Latency over time",
                           "Requests over time", "A &amp; B"}) {
    EXPECT_NE(html.find(part), std::string::npos) << part;
  }
  for (const char* part : {"<script", "href=", "src=", "url(", "<x>"}) {
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  }
}

TEST(ToHtml, ASweepShowsThroughputAgainstOfferedRate) {
  Report report = report_of(sample());
  report.sweep = true;
  report.knee = 100;
  report.runs.push_back(sample(200));
  const std::string html = to_html(report);
  EXPECT_NE(html.find("Throughput against offered rate"), std::string::npos);
  EXPECT_NE(to_text(report).find("kept up with: 100"), std::string::npos);
}

TEST(ToHtml, ASweepShowsWhatDeliveriesAndCpuWere) {
  Report report = report_of(sample());
  report.sweep = true;
  EXPECT_EQ(to_text(report).find("CPU us/"), std::string::npos);
  EXPECT_EQ(to_html(report).find("CPU against"), std::string::npos);
  RunResults& run = report.runs.front();
  run.relay = {.accepted = 1000};
  run.processes.push_back({.pid = 1, .name = "ringpost", .user_s = 0.02, .system_s = 0.015});
  run.sink.emplace().delivery.record(milliseconds{1500});
  run.sink->delivered = 1000;
  for (const std::string& text : {to_text(report), to_html(report)}) {
    EXPECT_NE(text.find("delivery p99"), std::string::npos);
    EXPECT_NE(text.find("1.50 s"), std::string::npos);
    EXPECT_NE(text.find("CPU us/delivery"), std::string::npos);
    EXPECT_NE(text.find("35.0"), std::string::npos);
  }
  EXPECT_NE(to_html(report).find("CPU against offered rate"), std::string::npos);
}

TEST(WhyBeyondKnee, DeliveriesHaveToKeepUpAsWell) {
  RunResults run = sample();
  run.failed = 0;
  SinkResults& sink = run.sink.emplace();
  sink.whole_way.record(milliseconds{490});
  EXPECT_EQ(why_beyond_knee(run, {}), "");
  EXPECT_EQ(why_beyond_knee(run, milliseconds{1000}), "");
  sink.missing = 3;
  EXPECT_NE(why_beyond_knee(run, {}).find("3 deliveries"), std::string::npos);
  sink.missing = 0;
  sink.whole_way.record(milliseconds{510});
  EXPECT_NE(why_beyond_knee(run, {}).find("delivery"), std::string::npos);
  run.seconds = 20;
  run.events_succeeded = 2000;
  EXPECT_EQ(why_beyond_knee(run, milliseconds{1000}), "");
  sink.whole_way.clear();
  sink.whole_way.record(milliseconds{999});
  EXPECT_EQ(why_beyond_knee(run, milliseconds{1000}), "");
  EXPECT_NE(why_beyond_knee(run, milliseconds{995}).find("delivery"), std::string::npos);
}

TEST(WhyBeyondKnee, FailuresTooLittleAndTooSlow) {
  RunResults run = sample();
  EXPECT_NE(why_beyond_knee(run, {}), "");
  run.failed = 0;
  EXPECT_EQ(why_beyond_knee(run, {}), "");
  EXPECT_NE(why_beyond_knee(run, milliseconds{900}), "");
  EXPECT_EQ(why_beyond_knee(run, milliseconds{1000}), "");
  run.offered_rate = 120;
  EXPECT_NE(why_beyond_knee(run, {}), "");
}

TEST(SvgPlot, MarksAreRound) {
  EXPECT_EQ(round_marks(10), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(round_marks(0.7).size(), 5u);
  EXPECT_EQ(round_marks(0), std::vector<double>{0});
  EXPECT_EQ(round_marks(std::numeric_limits<double>::infinity()), std::vector<double>{0});
}

TEST(SvgPlot, WithoutPointsThereIsNone) {
  EXPECT_EQ(to_svg({.title = "x", .series = {{"a", {}}}}), "");
  const std::string svg = to_svg({.title = "<t>", .series = {{"a\"b", {{0, 0}}}}});
  EXPECT_NE(svg.find("&lt;t&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Figures, ThreeDigits) {
  EXPECT_EQ(duration_text(std::chrono::microseconds{850}), "850 us");
  EXPECT_EQ(duration_text(std::chrono::microseconds{1234}), "1.23 ms");
  EXPECT_EQ(duration_text(std::chrono::microseconds{999'600}), "1.00 s");
  EXPECT_EQ(duration_text(milliseconds{12'340}), "12.3 s");
  EXPECT_EQ(number_text(99.96), "100");
  EXPECT_EQ(number_text(12'345.6), "12,346");
}

TEST(LiveLine, ShowsWhatIsLeft) {
  const std::string line = live_line(
      {.elapsed_s = 5, .total_s = 20, .due = 500, .failed = 2, .backlog = 3, .rate = 100});
  EXPECT_NE(line.find("[=====               ] 15 s left"), std::string::npos) << line;
  EXPECT_NE(line.find("errors 2  backlog 3"), std::string::npos) << line;
  const double endless = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(live_line({.elapsed_s = 65, .total_s = endless}).starts_with("1 min 5 s  "));
  EXPECT_EQ(live_line({.elapsed_s = 5, .total_s = 5, .backlog = 1200, .over = true}),
            "waiting for 1,200 answers");
  EXPECT_NE(live_line({.elapsed_s = 1, .total_s = endless, .due = 50, .total = 100})
                .find("[==========          ] 1 s left"),
            std::string::npos);
}

}  // namespace
}  // namespace ringpost::load
