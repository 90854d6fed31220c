#pragma once

#include "api/answer.h"
#include "base/clock.h"
#include "base/counters.h"
#include "control/forward.h"
#include "control/memory_limits.h"
#include "control/pending_tally.h"
#include "control/reload.h"
#include "control/retention.h"
#include "control/tracing.h"
#include "control/webhook_registry.h"
#include "http/message.h"
#include "index/index.h"
#include "io/engine.h"
#include "io/process.h"
#include "subscription/pending_counts.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// What the machine says of this process.
struct MachineFigures {
  WallTime started_at{};  ///< The process.
  std::optional<io::ProcessFigures> process;
  std::optional<uint64_t> free_bytes;  ///< Of the data directory's file system.
};
using MachineSource = std::function<MachineFigures()>;

/// When a listener's certificate expires.
struct CertificateExpiry {
  std::string listener;  ///< Its address, as configured.
  WallTime expires_at{};
};

/// What `GET /metrics` shows.
struct MetricSettings {
  uint32_t webhooks_max = 10;  ///< Webhooks with figures of their own: those with the most pending.
  std::vector<CertificateExpiry> certificates;
};

/// The newest attempt that failed, so that `status` can say where to look.
struct LastFailure {
  Ulid webhook;
  Ulid delivery;
  WallTime at{};
};

/// What the control thread knows besides counters.
struct StatusFacts {
  Duration uptime{};
  std::optional<Error> storage_failure;   ///< Final: nothing is taken until a restart.
  std::optional<Error> storage_shortage;  ///< Passes: no segment can be prepared just now.
  std::optional<Error> store_failure;     ///< Final: nothing can be changed until a restart.
  uint64_t journal_bytes = 0;
  uint64_t journal_damages = 0;     ///< Places that the start could not read.
  uint64_t events_carried = 0;      ///< Carrier::events.
  uint64_t segments_unindexed = 0;  ///< As JournalAccess::unindexed.
  Retention::Options retention;
  uint64_t queued_messages = 0;  ///< As Control::note_queue.
  std::optional<LastReload> last_reload;
  std::optional<LastFailure> last_failure;
  MemoryLimits limits;
  io::Engine engine = io::Engine::io_uring;
  std::string_view engine_reason;  ///< Why epoll was taken in place of io_uring; empty: it was not.
  ForwardStatus forward;
  TracingStatus tracing;
};

/// Where all figures come from: `GET /v1/status` and `GET /metrics` read the same. Everything is
/// borrowed for the call.
struct MetricSources {
  std::span<const Counters* const> shards;
  const Counters& control;  ///< The control thread's own, for the totals.
  std::span<const subscription::PendingCounts> pending;  ///< By shard; may be empty.
  const PendingTally& tally;
  const index::Index& history;
  const WebhookRegistry& registry;
  const StatusFacts& facts;
  const MachineSource& machine;  ///< May be empty. Blocks on the file system.

  /// Of all shards and the control thread.
  uint64_t total(Counter counter) const;
  struct Latency {
    Histogram::Buckets buckets{};
    Duration sum{};
  };
  /// Of all shards.
  Latency latency(Histogram Counters::*histogram) const;
};

/// `GET /v1/status`.
api::Answer show_status(const MetricSources& sources);

/// `GET /metrics`: OpenMetrics where the request accepts it, otherwise the format of Prometheus.
api::Answer show_metrics(const MetricSources& sources, const MetricSettings& settings,
                         const http::Request& request);

}  // namespace ringpost::control
