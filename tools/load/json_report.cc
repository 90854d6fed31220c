#include "base/json_writer.h"
#include "load/report.h"
#include "ringpost/version.h"

namespace ringpost::load {
namespace {

int64_t in_us(Duration duration) {
  return duration.count() / 1000;
}

void write_latency(JsonWriter& json, std::string_view name, const LatencyHistogram& histogram) {
  json.key(name).begin_object().member("count", histogram.count());
  json.member("mean_us", in_us(histogram.mean()));
  json.member("p50_us", in_us(histogram.quantile(0.5)));
  json.member("p90_us", in_us(histogram.quantile(0.9)));
  json.member("p99_us", in_us(histogram.quantile(0.99)));
  json.member("p99_9_us", in_us(histogram.quantile(0.999)));
  json.member("max_us", in_us(histogram.max()));
  json.key("percentiles").begin_array();
  for (const auto& point : histogram.points()) {
    json.begin_array().value(point.share).value(in_us(point.value)).end_array();
  }
  json.end_array().end_object();
}

void write_timeline(JsonWriter& json, const std::vector<Interval>& timeline) {
  json.key("timeline").begin_array();
  for (const Interval& interval : timeline) {
    json.begin_object()
        .member("begins_s", interval.begins_s)
        .member("seconds", interval.seconds)
        .member("due", interval.due)
        .member("answered", interval.answered)
        .member("failed", interval.failed)
        .member("backlog", interval.backlog)
        .member("p50_us", in_us(interval.p50))
        .member("p99_us", in_us(interval.p99))
        .member("max_us", in_us(interval.max))
        .end_object();
  }
  json.end_array();
}

void write_sink(JsonWriter& json, const SinkResults& sink) {
  json.key("sink")
      .begin_object()
      .member("requests", sink.requests)
      .member("expected", sink.expected)
      .member("delivered", sink.delivered)
      .member("missing", sink.missing)
      .member("duplicates", sink.duplicates)
      .member("out_of_order", sink.out_of_order)
      .member("signatures_good", sink.signatures_good)
      .member("signatures_bad", sink.signatures_bad)
      .member("unsigned", sink.unsigned_requests)
      .member("without_signing", sink.without_signing)
      .member("foreign", sink.foreign);
  write_latency(json, "accepted_to_delivered", sink.delivery);
  write_latency(json, "due_to_delivered", sink.whole_way);
  json.end_object();
}

void write_process(JsonWriter& json, const ProcessUse& use, const RunResults& run) {
  json.begin_object()
      .member("pid", use.pid)
      .member("name", use.name)
      .member("user_s", use.user_s)
      .member("system_s", use.system_s)
      .member("resident_bytes_first", use.resident_bytes_first)
      .member("resident_bytes_last", use.resident_bytes_last)
      .member("resident_bytes_max", use.resident_bytes_max)
      .member("descriptors_last", use.descriptors_last)
      .member("descriptors_max", use.descriptors_max)
      .member("ended", use.ended);
  const auto each = [&](const char* name, uint64_t count) {
    if (count > 0) json.member(name, cpu_us_each(use, count));
  };
  if (run.relay) {
    each("cpu_us_per_event", run.relay->accepted);
    each("cpu_us_per_delivery", run.sink ? run.sink->delivered : run.relay->deliveries);
  } else {
    each("cpu_us_per_request", run.succeeded + run.warm_up_requests);
  }
  json.end_object();
}

void write_run(JsonWriter& json, const RunResults& run) {
  const std::string invalid = why_invalid(run);
  json.begin_object()
      .member("started_at", to_rfc3339(run.started_at))
      .member("valid", invalid.empty())
      .member("why_invalid", invalid)
      .member("interrupted", run.interrupted)
      .member("open_loop", run.open_loop)
      .member("offered_per_s", run.offered_rate)
      .member("achieved_per_s", run.achieved_rate())
      .member("seconds", run.seconds)
      .member("warm_up_requests", run.warm_up_requests)
      .member("requests", run.requests)
      .member("events", run.events)
      .member("succeeded", run.succeeded)
      .member("events_succeeded", run.events_succeeded)
      .member("failed", run.failed)
      .member("waited", run.waited)
      .member("backlog_max", run.backlog_max)
      .member("connections", run.connections)
      .member("generator_busy_share", run.busy_share);
  json.key("errors").begin_object();
  for (const auto& [kind, count] : run.errors) json.member(kind, count);
  json.end_object();
  if (!run.first_refusal.empty()) json.member("first_refusal", run.first_refusal);
  write_latency(json, "latency", run.latency);
  write_latency(json, "lateness", run.lateness);
  if (run.relay) {
    json.key("relay")
        .begin_object()
        .member("accepted", run.relay->accepted)
        .member("duplicates", run.relay->duplicates)
        .member("deliveries", run.relay->deliveries)
        .member("unmatched", run.relay->unmatched)
        .end_object();
  }
  if (run.sink) write_sink(json, *run.sink);
  json.key("processes").begin_array();
  for (const ProcessUse& use : run.processes) write_process(json, use, run);
  json.end_array();
  write_timeline(json, run.timeline);
  json.end_object();
}

}  // namespace

std::string to_json(const Report& report) {
  std::string text;
  JsonWriter json{text};
  json.begin_object()
      .member("program", "ringpost-load")
      .member("version", version)
      .member("command", report.command)
      .member("target", report.target);
  json.key("machine")
      .begin_object()
      .member("kernel", report.machine.kernel)
      .member("cpu", report.machine.cpu)
      .member("cpus", report.machine.cpus)
      .end_object();
  json.key("settings").begin_object();
  for (const auto& [name, value] : report.settings) json.member(name, value);
  json.end_object();
  if (report.relay_counters) {
    json.key("relay_counters")
        .begin_object()
        .member("events_accepted", report.relay_counters->events_accepted)
        .member("deliveries_created", report.relay_counters->deliveries_created)
        .member("deliveries_delivered", report.relay_counters->deliveries_delivered)
        .member("attempts_failed", report.relay_counters->attempts_failed)
        .end_object();
  }
  json.member("sweep", report.sweep);
  if (report.sweep) {
    json.key("knee_per_s");
    report.knee ? json.value(*report.knee) : json.null();
  }
  json.key("runs").begin_array();
  for (const RunResults& run : report.runs) write_run(json, run);
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace ringpost::load
