#pragma once

#include "base/clock.h"
#include "io/ring.h"
#include "load/results.h"
#include "load/schedule.h"
#include "sink/endpoints.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace ringpost::load {

/// The receiver of `ringpost-sink` on a thread of this process, over TLS with a certificate made
/// for it. It notes when each marked event of a run arrives for each webhook.
///
/// Thread safety: used by one thread, which the receiver's own thread does not disturb.
class SinkThread {
 public:
  struct Options {
    std::string run;
    uint64_t webhooks = 1;  ///< Their paths are `/0`, `/1`, …
    uint64_t keys = 0;      ///< As EventForm::keys: events whose numbers agree modulo this.
    std::vector<const dialect::Dialect*> dialects;  ///< Of the webhooks, in turn.
    std::vector<sink::Secret> secrets;
  };
  /// @returns the reason if it cannot listen.
  static std::variant<std::unique_ptr<SinkThread>, std::string> start(Options options);
  ~SinkThread();

  std::string url(uint64_t webhook) const;
  const std::string& ca_pem() const { return ca_pem_; }
  /// How many pairs of event and webhook have arrived.
  uint64_t delivered() const { return shared_.delivered.load(std::memory_order_relaxed); }

  /// Ends the receiver; what was measured stays.
  void stop();

  /// What a run's figures are made of.
  struct Sent {
    const std::vector<Instant>& accepted_at;  ///< As RelayWorkload::accepted_at.
    std::optional<Schedule> schedule;         ///< Nothing: closed loop.
    Instant start{};
    Duration warm_up{};  ///< Events that were due in it have no latency.
    uint64_t batch = 1;
  };
  /// After `stop`.
  SinkResults results(const Sent& sent) const;

 private:
  explicit SinkThread(Options options);
  void run(std::promise<std::string>& started);
  void take(const http::Request& request, const dialect::Verdict& verdict);
  void count_signature(const dialect::Verdict& verdict, uint64_t webhook);
  void note_order(uint64_t event, uint64_t webhook);

  const Options options_;
  std::string ca_pem_;
  std::string base_url_;
  // The receiver's thread alone, until `stop`.
  std::vector<Instant> arrived_;      ///< By event * webhooks + webhook; the zero instant: not yet.
  std::vector<uint64_t> last_event_;  ///< By key * webhooks + webhook: the latest, counted from 1.
  SinkResults counts_;
  struct {
    std::atomic<uint64_t> delivered{0};
    std::atomic<bool> over{false};
    std::atomic<io::Waker*> waker{nullptr};
    std::mutex waking;  ///< Held by `stop` while it uses the waker.
  } shared_;
  std::thread thread_;
};

}  // namespace ringpost::load
