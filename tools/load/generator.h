#pragma once

#include "base/clock.h"
#include "io/ring.h"
#include "load/exchange.h"
#include "load/pacer.h"
#include "load/results.h"
#include "load/schedule.h"
#include "load/workload.h"

#include <csignal>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace ringpost::load {

/// How a run goes.
struct Plan {
  std::optional<Schedule> schedule;  ///< Nothing: closed loop.
  double seconds = 0;                ///< Of a closed loop; may be infinite.
  uint64_t sends_max = std::numeric_limits<uint64_t>::max();
  Duration warm_up{};
  uint32_t connections = 1;
  Duration timeout = std::chrono::seconds{30};  ///< Of a request: connecting and its answer.
  Duration drain = std::chrono::seconds{30};  ///< How long to wait for answers after the last send.
};

/// How a run is getting on; for whoever watches.
struct Progress {
  double elapsed_s = 0;
  double total_s = 0;  ///< May be infinite.
  uint64_t due = 0;
  uint64_t total = 0;  ///< Requests in all; 0: not known.
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t backlog = 0;
  bool over = false;  ///< Nothing more will be due: only answers are waited for.
  double rate = 0;    ///< Successful requests a second, in the last interval.
  Duration p50{};     ///< Of all so far.
  Duration p99{};
};

/// Sends a workload by a schedule, over a pool of connections.
///
/// Open loop: what is due is sent when a connection is free, and its latency is counted from the
/// time when it was due. So a target that stalls is charged for every request that the stall kept
/// waiting, sent or not.
class Generator final : private ExchangeOwner {
 public:
  using Watch = std::function<void(const Progress&)>;

  /// All references live longer than this. @param stop  1: end the run early; 2: at once, without
  /// answers.
  Generator(io::Ring& ring, Pacer& pacer, const Endpoint& endpoint, Workload& workload, Plan plan,
            const volatile std::sig_atomic_t& stop);

  /// Opens the connections. @returns the failure of the first that could not be opened.
  std::optional<Error> connect();
  /// Runs to the end. @param watch  called four times a second.
  void run(const Watch& watch);
  /// Closes the connections: to be called before the end, whatever happened.
  void close();

  /// After `run`.
  RunResults& results() { return results_; }
  Instant started() const { return start_; }
  Duration warm_up() const { return plan_.warm_up; }
  /// When each request was due: the schedule from its beginning; nothing: closed loop.
  const std::optional<Schedule>& schedule() const { return plan_.schedule; }

 private:
  void on_answer(Exchange& exchange, uint16_t status, Bytes body) override;
  void on_failure(Exchange& exchange, const Error& error, bool had_request) override;
  void on_free(Exchange& exchange) override;

  void pump();
  void notice_due(Instant now);
  std::optional<Instant> next_to_send(Instant now) const;
  void send(Exchange& exchange, Instant scheduled);
  Exchange* take_free();
  bool measured(Instant scheduled) const { return scheduled >= start_ + plan_.warm_up; }
  void count_failure(Instant scheduled, const std::string& kind);
  bool over(Instant now) const;
  bool finished(Instant now);
  void abandon_rest();
  uint64_t backlog() const { return due_count_ - settled_; }

  void on_tick();
  double window_s() const;
  void end_interval(Instant now);
  Progress progress(Instant now) const;

  io::Ring& ring_;
  Pacer& pacer_;
  const Endpoint& endpoint_;
  Workload& workload_;
  const Plan plan_;
  const volatile std::sig_atomic_t& stop_;

  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<Exchange*> free_;  ///< The last one is taken first: few connections stay warm.
  std::optional<Error> open_error_;
  uint32_t opening_ = 0;

  Instant start_{};
  bool running_ = false;
  std::optional<Schedule> noticing_;  ///< At the first request that is not known to be due.
  std::optional<Schedule> sending_;   ///< At the first that is not sent.
  uint64_t due_count_ = 0;
  uint64_t sent_ = 0;
  uint64_t settled_ = 0;
  bool starved_ = false;     ///< What is due finds no free connection.
  Instant starved_until_{};  ///< What was due before then found none.
  std::optional<Instant> over_since_;
  Instant last_due_{};
  Instant last_answer_{};
  Outgoing request_;

  io::Timer tick_;
  const Watch* watch_ = nullptr;
  Instant interval_begins_{};
  Interval interval_;
  uint64_t due_before_ = 0;
  LatencyHistogram interval_latency_;
  double last_rate_ = 0;
  RunResults results_;
};

}  // namespace ringpost::load
