#include "control/api/metrics.h"

#include "base/log.h"
#include "base/metrics_text.h"
#include "http/accept.h"
#include "ringpost/version.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace ringpost::control {

uint64_t MetricSources::total(Counter counter) const {
  uint64_t sum = control.value(counter);
  for (const Counters* shard : shards) sum += shard->value(counter);
  return sum;
}

MetricSources::Latency MetricSources::latency(Histogram Counters::*histogram) const {
  Latency latency;
  for (const Counters* shard : shards) {
    (shard->*histogram).add_to(latency.buckets);
    latency.sum += (shard->*histogram).sum();
  }
  return latency;
}

namespace {

// --- figures that no shard counts ----------------------------------------------------------------

/// What one scrape reads.
struct Reading {
  const MetricSources& sources;
  MachineFigures machine;
};

using Value = std::optional<double>;

struct Figure {
  MetricInfo info;
  Value (*read)(const Reading& reading);  ///< Nothing: there is none at present.
};

constexpr MetricInfo gauge(std::string_view name, std::string_view unit, std::string_view help) {
  return {name, MetricKind::gauge, unit, help};
}

double flag(bool set) {
  return set ? 1 : 0;
}

template <typename Read>
Value of_process(const Reading& reading, const Read& read) {
  if (!reading.machine.process) return std::nullopt;
  return static_cast<double>(read(*reading.machine.process));
}

template <typename Read>
Value of_forward(const Reading& reading, const Read& read) {
  const ForwardStatus& forward = reading.sources.facts.forward;
  if (forward.state == ForwardState::off) return std::nullopt;
  return static_cast<double>(read(forward));
}

template <typename Read>
Value of_tracing(const Reading& reading, const Read& read) {
  const TracingStatus& tracing = reading.sources.facts.tracing;
  if (tracing.url.empty()) return std::nullopt;
  return static_cast<double>(read(tracing));
}

constexpr std::array figures{
    Figure{gauge("ringpost_oldest_undelivered_timestamp_seconds", "seconds",
                 "When the oldest event that is pending for a webhook was accepted; absent if "
                 "nothing is pending."),
           [](const Reading& reading) -> Value {
             const auto oldest = reading.sources.tally.oldest_at();
             return oldest ? Value{to_seconds(*oldest)} : std::nullopt;
           }},
    Figure{gauge("ringpost_webhooks", "", "Webhooks, disabled ones included."),
           [](const Reading& reading) {
             return Value(static_cast<double>(reading.sources.registry.count()));
           }},
    Figure{gauge("ringpost_webhooks_circuit_open", "",
                 "Webhooks whose attempts failed several times in a row: they get one attempt at a "
                 "time."),
           [](const Reading& reading) {
             return Value(
                 static_cast<double>(reading.sources.registry.receivers().open_circuits()));
           }},
    Figure{gauge("ringpost_deliveries_pending_limit", "",
                 "delivery.pending_max of all shards together. One organization may have half of "
                 "each shard's, one webhook a third."),
           [](const Reading& reading) -> Value {
             const MemoryLimits& limits = reading.sources.facts.limits;
             if (limits.shards == 0) return std::nullopt;
             return static_cast<double>(limits.pending_max * limits.shards);
           }},
    Figure{gauge("ringpost_memory_limit_bytes", "bytes",
                 "What the process may use: server.memory_max, or what the machine allows."),
           [](const Reading& reading) -> Value {
             const uint64_t most = reading.sources.facts.limits.memory_max;
             return most > 0 ? Value{static_cast<double>(most)} : std::nullopt;
           }},
    Figure{gauge("ringpost_deliveries_indexed", "", "Deliveries that the API can list and show."),
           [](const Reading& reading) {
             return Value(static_cast<double>(reading.sources.history.delivery_count()));
           }},
    Figure{
        gauge("ringpost_journal_disk_bytes", "bytes", "What all journal files take on the disk."),
        [](const Reading& reading) {
          return Value(static_cast<double>(reading.sources.facts.journal_bytes));
        }},
    Figure{gauge("ringpost_journal_damages", "",
                 "Places of the journals that the last start could not read: their events or "
                 "outcomes are lost."),
           [](const Reading& reading) {
             return Value(static_cast<double>(reading.sources.facts.journal_damages));
           }},
    Figure{gauge("ringpost_journal_events_carried", "",
                 "How often since the start an event with pending deliveries was written again, so "
                 "that an old journal file could go."),
           [](const Reading& reading) {
             return Value(static_cast<double>(reading.sources.facts.events_carried));
           }},
    Figure{gauge("ringpost_journal_retention_limit_bytes", "bytes",
                 "journal.retention_bytes: finished events are removed early to stay within it."),
           [](const Reading& reading) {
             return Value(static_cast<double>(reading.sources.facts.retention.bytes));
           }},
    Figure{gauge("ringpost_journal_retention_limit_seconds", "seconds",
                 "journal.retention_age: how long finished events are kept."),
           [](const Reading& reading) {
             return Value(to_seconds(reading.sources.facts.retention.age));
           }},
    Figure{gauge("ringpost_data_directory_free_bytes", "bytes",
                 "What the relay may still write to the data directory's file system."),
           [](const Reading& reading) {
             const auto& free = reading.machine.free_bytes;
             return free ? Value{static_cast<double>(*free)} : std::nullopt;
           }},
    Figure{gauge("ringpost_journal_file_preparation_failed", "",
                 "1 while no journal file can be prepared, most often because the disk is full."),
           [](const Reading& reading) {
             return Value(flag(reading.sources.facts.storage_shortage.has_value()));
           }},
    Figure{gauge("ringpost_store_failed", "",
                 "1 if the store of webhooks and tokens failed to write: nothing can be changed "
                 "until a restart."),
           [](const Reading& reading) {
             return Value(flag(reading.sources.facts.store_failure.has_value()));
           }},
    Figure{gauge("ringpost_control_queue_messages", "",
                 "Messages from shards that waited when the control thread began the turn that "
                 "answered this request."),
           [](const Reading& reading) {
             return Value(static_cast<double>(reading.sources.facts.queued_messages));
           }},
    Figure{gauge("ringpost_configuration_reload_successful", "",
                 "1 if the last reload of the configuration succeeded; absent before the first."),
           [](const Reading& reading) -> Value {
             const auto& last = reading.sources.facts.last_reload;
             return last ? Value{flag(last->problem.empty())} : std::nullopt;
           }},
    Figure{gauge("ringpost_configuration_reload_timestamp_seconds", "seconds",
                 "When the configuration was last reloaded; absent before the first reload."),
           [](const Reading& reading) -> Value {
             const auto& last = reading.sources.facts.last_reload;
             return last ? Value{to_seconds(last->at)} : std::nullopt;
           }},
    Figure{gauge("ringpost_forward_backlog_events", "",
                 "Events that the central relay does not have yet; absent without [forward]."),
           [](const Reading& reading) {
             return of_forward(reading, [](const auto& forward) { return forward.backlog; });
           }},
    Figure{gauge("ringpost_forward_oldest_timestamp_seconds", "seconds",
                 "When the next event for the central relay was accepted; absent if it has all."),
           [](const Reading& reading) -> Value {
             const auto& oldest = reading.sources.facts.forward.oldest_at;
             return oldest ? Value{to_seconds(*oldest)} : std::nullopt;
           }},
    Figure{gauge("ringpost_forward_held", "",
                 "1 while nothing is forwarded until somebody mends something; absent without "
                 "[forward]."),
           [](const Reading& reading) {
             return of_forward(reading, [](const auto& forward) {
               return flag(forward.state == ForwardState::held);
             });
           }},
    Figure{{"ringpost_forward_events", MetricKind::counter, "",
            "Events that the central relay has taken, those that it had already included."},
           [](const Reading& reading) {
             return of_forward(reading, [](const auto& forward) { return forward.forwarded; });
           }},
    Figure{gauge("ringpost_forward_set_aside_events", "",
                 "Events in the list of those that the central relay refused for good."),
           [](const Reading& reading) {
             return of_forward(reading, [](const auto& forward) { return forward.set_aside; });
           }},
    Figure{gauge("ringpost_forward_lost_events", "",
                 "Events that were removed for want of room before they were forwarded."),
           [](const Reading& reading) {
             return of_forward(reading, [](const auto& forward) { return forward.lost; });
           }},
    Figure{gauge("ringpost_tracing_queued_spans", "",
                 "Spans that wait for the collector; absent without [tracing]."),
           [](const Reading& reading) {
             return of_tracing(reading, [](const auto& tracing) { return tracing.queued; });
           }},
    Figure{{"ringpost_tracing_spans", MetricKind::counter, "",
            "Spans that the collector has taken; absent without [tracing]."},
           [](const Reading& reading) {
             return of_tracing(reading, [](const auto& tracing) { return tracing.exported; });
           }},
    Figure{{"ringpost_log_lines_dropped", MetricKind::counter, "",
            "Log lines that were lost because nobody read standard error."},
           [](const Reading&) { return Value(static_cast<double>(dropped_log_lines())); }},
    Figure{gauge("process_start_time_seconds", "seconds", "When the process started."),
           [](const Reading& reading) -> Value {
             if (!reading.machine.process) return std::nullopt;
             return to_seconds(reading.machine.started_at);
           }},
    Figure{{"process_cpu_seconds", MetricKind::counter, "seconds",
            "CPU time of all threads, in user and kernel mode."},
           [](const Reading& reading) -> Value {
             if (!reading.machine.process) return std::nullopt;
             return to_seconds(reading.machine.process->cpu_time);
           }},
    Figure{gauge("process_resident_memory_bytes", "bytes", "Resident memory."),
           [](const Reading& reading) {
             return of_process(reading, [](const auto& process) { return process.resident_bytes; });
           }},
    Figure{gauge("process_virtual_memory_bytes", "bytes", "Virtual memory."),
           [](const Reading& reading) {
             return of_process(reading, [](const auto& process) { return process.virtual_bytes; });
           }},
    Figure{gauge("process_open_fds", "", "Open file descriptors."),
           [](const Reading& reading) {
             return of_process(reading,
                               [](const auto& process) { return process.descriptors_open; });
           }},
    Figure{gauge("process_max_fds", "", "The most file descriptors that may be open."),
           [](const Reading& reading) {
             return of_process(reading,
                               [](const auto& process) { return process.descriptors_max; });
           }},
};

constexpr MetricInfo build{"ringpost_build", MetricKind::info, "", "The version that runs."};
constexpr MetricInfo engine{"ringpost_engine", MetricKind::info, "",
                            "What the shards wait with: io_uring, or epoll and a few threads."};
constexpr MetricInfo webhook_pending =
    gauge("ringpost_webhook_deliveries_pending", "",
          "Pending deliveries of the webhooks with the most (metrics.webhooks_max).");
constexpr MetricInfo webhook_oldest = gauge(
    "ringpost_webhook_oldest_undelivered_timestamp_seconds", "seconds",
    "When the oldest event that is pending for the webhook was accepted, of the webhooks with "
    "the most pending deliveries.");
constexpr MetricInfo spans_dropped{
    "ringpost_tracing_spans_dropped", MetricKind::counter, "",
    "Spans that the collector will never have, by why: the queue was full, it refused them, or it "
    "was away for too long; absent without [tracing]."};
constexpr MetricInfo certificate_expiry =
    gauge("ringpost_certificate_expiry_timestamp_seconds", "seconds",
          "When the certificate of a listener expires.");

// --- writing -------------------------------------------------------------------------------------

void write_counters(MetricsText& text, const MetricSources& sources) {
  std::string_view family;
  for (const CounterInfo& row : counter_table()) {
    if (row.family.name.empty()) continue;
    if (std::exchange(family, row.family.name) != row.family.name) text.family(row.family);
    if (row.label.name.empty()) {
      text.sample({}, sources.total(row.counter));
    } else {
      text.sample({row.label}, sources.total(row.counter));
    }
  }
}

void write_latency(MetricsText& text, const MetricInfo& info,
                   const MetricSources::Latency& latency) {
  text.family(info);
  text.histogram(latency.buckets, latency.sum);
}

void write_figures(MetricsText& text, const MetricSources& sources) {
  const Reading reading{sources, sources.machine ? sources.machine() : MachineFigures{}};
  for (const Figure& figure : figures) {
    const Value value = figure.read(reading);
    if (!value) continue;
    text.family(figure.info);
    text.sample({}, *value);
  }
}

struct WorstWebhook {
  const subscription::Webhook& webhook;
  std::string id;
  uint32_t pending = 0;
};

std::vector<WorstWebhook> worst_webhooks(const MetricSources& sources, size_t count) {
  std::vector<WorstWebhook> worst;
  const auto most = subscription::PendingCounts::most_pending(sources.pending, count);
  for (const auto& [number, pending] : most) {
    const subscription::Webhook* webhook = sources.registry.find(number);
    if (webhook != nullptr) worst.push_back({*webhook, webhook->id.to_text(), pending});
  }
  return worst;
}

void write_webhooks(MetricsText& text, const MetricSources& sources, size_t count) {
  const auto worst = worst_webhooks(sources, count);
  if (worst.empty()) return;
  const auto sample = [&](const WorstWebhook& one, double value) {
    text.sample({{"organization", one.webhook.organization}, {"webhook", one.id}}, value);
  };
  text.family(webhook_pending);
  for (const WorstWebhook& one : worst) sample(one, one.pending);
  text.family(webhook_oldest);
  for (const WorstWebhook& one : worst) {
    const auto oldest = sources.tally.oldest_at(one.webhook.number);
    if (oldest) sample(one, to_seconds(*oldest));
  }
}

void write_certificates(MetricsText& text, std::span<const CertificateExpiry> certificates) {
  if (certificates.empty()) return;
  text.family(certificate_expiry);
  for (const CertificateExpiry& certificate : certificates) {
    text.sample({{"listener", certificate.listener}}, to_seconds(certificate.expires_at));
  }
}

void write_dropped_spans(MetricsText& text, const TracingStatus& tracing) {
  if (tracing.url.empty()) return;
  text.family(spans_dropped);
  text.sample({{"reason", "full"}}, tracing.dropped_full);
  text.sample({{"reason", "refused"}}, tracing.dropped_refused);
  text.sample({{"reason", "away"}}, tracing.dropped_away);
}

// --- content negotiation -------------------------------------------------------------------------

constexpr std::string_view openmetrics_type = "application/openmetrics-text";

/// How much the client wants a type, by the most specific entry that names it (RFC 9110, 12.5.1).
uint32_t quality_of(const std::vector<http::MediaRange>& accepted,
                    std::initializer_list<std::string_view> names, std::string_view version) {
  for (const std::string_view name : names) {
    std::optional<uint32_t> quality;
    for (const http::MediaRange& range : accepted) {
      const std::string_view wanted = range.parameter("version");
      if (range.type != name || (!wanted.empty() && wanted != version)) continue;
      quality = std::max(quality.value_or(0), range.quality);
    }
    if (quality) return *quality;
  }
  return 0;
}

/// OpenMetrics only for those who name it. A client that accepts neither format gets the older one:
/// RFC 9110, 12.5.1, lets a server disregard the header, and every scraper reads that format.
MetricsText::Format format_for(const http::Request& request) {
  const auto accepted = http::accepted_types(request);
  const uint32_t openmetrics = quality_of(accepted, {openmetrics_type}, "1.0.0");
  const uint32_t prometheus = quality_of(accepted, {"text/plain", "text/*", "*/*"}, "0.0.4");
  return openmetrics > 0 && openmetrics >= prometheus ? MetricsText::Format::openmetrics
                                                      : MetricsText::Format::prometheus;
}

}  // namespace

api::Answer show_metrics(const MetricSources& sources, const MetricSettings& settings,
                         const http::Request& request) {
  const MetricsText::Format format = format_for(request);
  api::Answer answer;
  answer.response.content_type = content_type(format);
  answer.response.headers.push_back({"Vary", "Accept"});
  MetricsText text(answer.response.body, format);
  text.family(build);
  text.sample({{"version", ringpost::version}}, uint64_t{1});
  text.family(engine);
  text.sample({{"engine", io::to_text(sources.facts.engine)}}, uint64_t{1});
  write_counters(text, sources);
  write_latency(text, accept_latency_info, sources.latency(&Counters::accept_latency));
  write_latency(text, delivery_latency_info, sources.latency(&Counters::delivery_latency));
  write_figures(text, sources);
  write_dropped_spans(text, sources.facts.tracing);
  write_webhooks(text, sources, settings.webhooks_max);
  write_certificates(text, settings.certificates);
  text.finish();
  return answer;
}

}  // namespace ringpost::control
