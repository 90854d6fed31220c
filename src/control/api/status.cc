#include "base/json_writer.h"
#include "base/log.h"
#include "control/api/forward.h"
#include "control/api/metrics.h"
#include "ringpost/version.h"

#include <chrono>
#include <string>
#include <utility>

namespace ringpost::control {
namespace {

/// @param value  of a counter.
template <typename Value>
void write_counters(JsonWriter& json, const Value& value) {
  for (const CounterInfo& row : counter_table()) json.member(row.name, value(row.counter));
}

void write_latency(JsonWriter& json, std::string_view key, const MetricSources::Latency& latency) {
  const auto us = [&](uint32_t per_mille) {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               Histogram::quantile(latency.buckets, per_mille))
        .count();
  };
  json.key(key).begin_object().member("p50_us", us(500)).member("p99_us", us(990)).end_object();
}

void write_problem(JsonWriter& json, std::string_view key, const std::optional<Error>& problem) {
  json.key(key);
  if (problem) {
    json.value(describe(*problem));
  } else {
    json.null();
  }
}

void write_storage(JsonWriter& json, const StatusFacts& facts) {
  json.key("storage").begin_object();
  const auto& problem = facts.storage_failure ? facts.storage_failure : facts.storage_shortage;
  json.member("state", facts.storage_failure ? "failed" : problem ? "short" : "ok");
  write_problem(json, "detail", problem);
  json.member("store_state", facts.store_failure ? "failed" : "ok");
  write_problem(json, "store_detail", facts.store_failure);
  json.member("journal_bytes", facts.journal_bytes);
  json.member("journal_damages", facts.journal_damages);
  json.member("events_carried", facts.events_carried).end_object();
}

void write_last_reload(JsonWriter& json, const std::optional<LastReload>& last) {
  json.key("last_reload");
  if (!last) {
    json.null();
    return;
  }
  json.begin_object().member("ok", last->problem.empty()).member("at", to_rfc3339(last->at));
  json.key("problem");
  if (last->problem.empty()) {
    json.null();
  } else {
    json.value(last->problem);
  }
  json.key("needs_restart").begin_array();
  for (const std::string& key : last->needs_restart) json.value(key);
  json.end_array().end_object();
}

void write_last_failure(JsonWriter& json, const std::optional<LastFailure>& last) {
  json.key("last_failure");
  if (!last) {
    json.null();
    return;
  }
  json.begin_object().member("at", to_rfc3339(last->at));
  json.member("webhook", last->webhook.to_text());
  json.member("delivery", last->delivery.to_text()).end_object();
}

void write_limits(JsonWriter& json, const MemoryLimits& limits) {
  json.key("limits").begin_object();
  json.member("memory_max", limits.memory_max).member("memory_total", limits.memory_total);
  json.member("shards", limits.shards).member("pending_max", limits.pending_max);
  json.member("history_memory_max", limits.history_memory_max);
  json.member("idempotency_entries_max", limits.idempotency_entries_max);
  json.member("bodies_bytes_max", limits.bodies_bytes_max);
  json.member("batch_bytes_max", limits.batch_bytes_max);
  json.member("attempts_in_flight_max", limits.attempts_in_flight_max);
  json.member("connections_max", limits.connections_max);
  json.member("delivery_connections_max", limits.delivery_connections_max).end_object();
}

void write_tracing(JsonWriter& json, const TracingStatus& tracing) {
  json.key("tracing").begin_object().key("endpoint");
  if (tracing.url.empty()) {
    json.null();
  } else {
    json.value(tracing.url);
  }
  json.member("queued", tracing.queued).member("exported", tracing.exported);
  json.key("dropped").begin_object().member("full", tracing.dropped_full);
  json.member("refused", tracing.dropped_refused).member("away", tracing.dropped_away);
  json.end_object().key("problem");
  if (tracing.problem.empty()) {
    json.null();
  } else {
    json.value(tracing.problem);
  }
  json.end_object();
}

}  // namespace

api::Answer show_status(const MetricSources& sources) {
  const StatusFacts& facts = sources.facts;
  std::string body;
  JsonWriter json(body);
  json.begin_object().member("version", ringpost::version);
  json.member("engine", io::to_text(facts.engine)).key("engine_reason");
  if (facts.engine_reason.empty()) {
    json.null();
  } else {
    json.value(facts.engine_reason);
  }
  json.member("uptime_s", std::chrono::duration_cast<std::chrono::seconds>(facts.uptime).count());
  write_storage(json, facts);
  write_last_reload(json, facts.last_reload);
  write_last_failure(json, facts.last_failure);
  write_limits(json, facts.limits);
  json.member("backlog", sources.tally.count()).key("oldest_undelivered_at");
  if (const auto oldest = sources.tally.oldest_at()) {
    json.value(to_rfc3339(*oldest));
  } else {
    json.null();
  }
  json.member("log_lines_dropped", dropped_log_lines());
  json.member("webhooks", sources.registry.count());
  json.member("deliveries_indexed", sources.history.delivery_count());
  json.key("history").begin_object();
  json.member("segments", sources.history.segment_count());
  json.member("segments_unindexed", facts.segments_unindexed);
  json.member("memory_bytes", sources.history.memory_bytes()).end_object();
  json.key("forward");
  write_forward(json, facts.forward);
  write_tracing(json, facts.tracing);
  json.key("latency").begin_object();
  write_latency(json, "accept", sources.latency(&Counters::accept_latency));
  write_latency(json, "delivery", sources.latency(&Counters::delivery_latency));
  json.end_object().key("totals").begin_object();
  write_counters(json, [&](Counter counter) { return sources.total(counter); });
  json.end_object().key("shards").begin_array();
  for (const Counters* shard : sources.shards) {
    json.begin_object();
    write_counters(json, [&](Counter counter) { return shard->value(counter); });
    json.end_object();
  }
  json.end_array().end_object();
  return api::answer_json(200, std::move(body));
}

}  // namespace ringpost::control
