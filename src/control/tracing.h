#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "control/messages.h"
#include "control/otlp.h"
#include "control/outgoing_calls.h"
#include "http/url.h"
#include "net/http_client.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::control {

/// Where spans go. May be changed while it runs.
struct TracingSettings {
  std::optional<http::Url> endpoint;  ///< Of a collector's OTLP over HTTP; nothing: no traces.
  std::vector<http::Header> headers;  ///< That the collector wants; their values are secret.
  std::shared_ptr<const net::ServerTrust> trust;
  double sample_ratio = 1;  ///< As dialect::trace_of has it.
  Duration timeout = std::chrono::seconds(10);
  /// Attributes of the resource beside those that the relay knows itself: `service.name` first.
  std::vector<std::pair<std::string, std::string>> resource;
};

/// For people.
struct TracingStatus {
  std::string url;  ///< Empty: no traces.
  uint64_t queued = 0;
  uint64_t exported = 0;  ///< Spans that the collector has taken, since the start.
  // Spans that it will never have, since the start:
  uint64_t dropped_full = 0;     ///< The queue was full.
  uint64_t dropped_refused = 0;  ///< It refused them.
  uint64_t dropped_away = 0;     ///< It did not answer for too long.
  std::string problem;           ///< A sentence; empty: there is none.
};

/// Tells a collector of spans: a batch at a time, from a queue in memory that is bounded. What does
/// not fit is dropped and counted, and so is what the collector refuses, or does not take in time;
/// nothing waits for it. What is queued at the end of the process is lost.
///
/// on_… ─> queue ─> step: a batch ─> send ─> on_answer ─┬─> the next batch
///                                    └──── later ──────┘
class Tracing {
 public:
  static constexpr size_t queued_spans_max = 8192;
  static constexpr size_t queued_bytes_max = 8u << 20;
  static constexpr size_t batch_spans_max = 512;
  static constexpr size_t batch_bytes_max = 1u << 20;
  static constexpr Duration batch_delay_max = std::chrono::seconds(1);
  static constexpr Duration pause_min = std::chrono::seconds(1);
  static constexpr Duration pause_max = std::chrono::seconds(30);
  static constexpr Duration asked_pause_max = std::chrono::minutes(5);  ///< Of Retry-After.
  /// For so long a batch is tried again: then newer ones get their turn.
  static constexpr Duration tried_for_max = std::chrono::minutes(1);

  /// @param calls   borrowed. @param random  borrowed: for the pauses and the instance's id.
  /// @param wake    called when `step` is wanted.
  Tracing(OutgoingCalls& calls, Prng& random, std::function<void()> wake);

  void set(TracingSettings settings);
  bool is_on() const { return settings_.endpoint.has_value(); }

  void on_event(const journal::EventView& event, WallTime durable_at, Instant now);
  /// @param webhook  null: deleted meanwhile.
  void on_attempt(const AttemptTraced& attempt, const subscription::Webhook* webhook, Instant now);

  /// Sends what is ready.
  void step(WallTime wall_now, Instant now);
  /// When `step` is wanted without news; nothing: never.
  std::optional<Instant> due() const;

  TracingStatus status() const;

 private:
  void put(const OtlpSpan& span, Instant now);
  void take_batch();
  void send();
  void on_answer(const net::ClientAnswer& answer);
  void on_taken(const net::ClientAnswer& answer);
  void on_failed(const net::ClientAnswer& answer, bool passing);
  void end_batch();
  std::string told_by(const net::ClientAnswer& answer) const;
  void tell(std::string problem);
  void drop_all();

  OutgoingCalls& calls_;
  Prng& random_;
  const std::function<void()> wake_;
  std::string instance_id_;  ///< Of this run.
  TracingSettings settings_;

  std::deque<std::string> queue_;  ///< Spans, as `to_otlp` writes them.
  size_t queue_bytes_ = 0;
  Instant oldest_at_{};             ///< When the queue began to fill.
  std::vector<std::string> batch_;  ///< Under way, or to be sent again.
  bool calling_ = false;
  uint32_t failures_ = 0;
  std::optional<Instant> batch_failed_at_;  ///< First.
  Instant not_before_{};

  uint64_t exported_ = 0;
  uint64_t dropped_full_ = 0;
  uint64_t dropped_refused_ = 0;
  uint64_t dropped_away_ = 0;
  std::string problem_;
  std::string told_problem_;  ///< In the log.
  Instant told_at_{};
  WallTime wall_now_{};
  Instant now_{};
};

}  // namespace ringpost::control
