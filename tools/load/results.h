#pragma once

#include "base/clock.h"
#include "load/latency_histogram.h"
#include "load/process_watch.h"
#include "load/workload.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::load {

/// One second of a run.
struct Interval {
  double begins_s = 0;  ///< Since the start.
  double seconds = 0;
  uint64_t due = 0;  ///< Requests that the schedule asked for.
  uint64_t answered = 0;
  uint64_t failed = 0;
  uint64_t backlog = 0;  ///< At its end: due, and neither answered nor failed.
  Duration p50{};        ///< Of the answers that came in it.
  Duration p99{};
  Duration max{};
};

/// What a receiver in the same process saw of a run's events.
struct SinkResults {
  uint64_t requests = 0;   ///< Of this run's events, warm-up included, as the other counts.
  uint64_t delivered = 0;  ///< Event and webhook, each once.
  uint64_t expected = 0;   ///< Accepted events times webhooks.
  uint64_t missing = 0;
  uint64_t duplicates = 0;
  uint64_t out_of_order = 0;  ///< After a later event with the same key.
  uint64_t signatures_good = 0;
  uint64_t signatures_bad = 0;
  uint64_t unsigned_requests = 0;  ///< Although their dialect signs.
  uint64_t without_signing = 0;    ///< Of dialects that do not.
  uint64_t foreign = 0;            ///< Requests of other events.
  LatencyHistogram delivery;       ///< From the answer that accepted an event to its arrival.
  LatencyHistogram whole_way;      ///< From the time when it was due to its arrival.
};

/// What became of one run. Requests of the warm-up are counted in `warm_up_requests` alone.
struct RunResults {
  WallTime started_at{};
  bool open_loop = true;
  bool interrupted = false;
  double offered_rate = 0;  ///< Events a second that the schedule asked for; 0: closed loop.
  double seconds = 0;       ///< From the end of the warm-up to the last answer.
  uint64_t warm_up_requests = 0;
  uint64_t requests = 0;  ///< Sent, or due and not sent in time.
  uint64_t events = 0;
  uint64_t succeeded = 0;  ///< Requests; likewise `failed`.
  uint64_t events_succeeded = 0;
  uint64_t failed = 0;
  std::map<std::string, uint64_t> errors;  ///< Kind to count; their sum is `failed`.
  std::string first_refusal;               ///< What the first refusing answer said.
  uint64_t backlog_max = 0;
  uint64_t waited = 0;  ///< Requests that were due when no connection was free.
  uint64_t connections = 0;
  LatencyHistogram latency;   ///< Of the requests that succeeded, from the time when they were due.
  LatencyHistogram lateness;  ///< How late the generator itself noticed that they were due.
  double busy_share = 0;  ///< Of the run's time, when the generator computed or waited for a CPU.
  std::vector<Interval> timeline;  ///< With the warm-up.
  std::optional<RelayTotals> relay;
  std::optional<SinkResults> sink;
  std::vector<ProcessUse> processes;

  double achieved_rate() const {  ///< Events a second.
    return seconds > 0 ? static_cast<double>(events_succeeded) / seconds : 0;
  }
};

/// Below this the system's wake-ups decide how late a generator is.
inline constexpr Duration lateness_floor = std::chrono::milliseconds{1};

/// Why the run says nothing of its target; empty: it is good. The generator itself was late, by
/// more than a tenth of the measured p99 and by more than `lateness_floor`; or it could not send
/// what was due, because it was busy all the time.
std::string why_invalid(const RunResults& results);

/// Whether deliveries were lost, or were not signed as they should be.
bool is_harmed(const RunResults& results);

}  // namespace ringpost::load
