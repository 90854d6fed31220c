#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace ringpost::control {

/// A webhook's receiver fails again and again, and gets one attempt at a time.
struct CircuitNote {
  uint32_t failures = 0;  ///< Attempts in a row; 0: it works.
  WallTime next_attempt_at{};
  Error last_failure{};
};

/// What a webhook's receiver said of requests to come.
struct ReceiverNote {
  WallTime paused_until{};  ///< Nothing is sent before; the epoch: no pause.
  CircuitNote circuit;
  bool logged = false;           ///< The log said that the circuit is open.
  bool permitted = false;        ///< It was asked and agreed (Dialect::asks_first).
  std::optional<Error> why_not;  ///< It was asked, and did not agree or did not answer.
};

/// What the shards told of receivers since the relay started, to be shown. The shards keep
/// their own account (delivery::Standing) and use that.
///
/// An entry for each webhook whose receiver was asked, or asked for a pause.
class ReceiverNotes {
 public:
  void on_pause(uint32_t webhook_number, WallTime until);
  /// @returns whether the log should say so: it lasts, and was not said yet.
  bool on_circuit_open(uint32_t webhook_number, const CircuitNote& circuit);
  /// @returns whether the log should say so: it said that the circuit was open.
  bool on_circuit_closed(uint32_t webhook_number);
  void on_permission(uint32_t webhook_number, const std::optional<Error>& why_not);
  /// A change makes a permission void, and another URL or the end of sending a pause.
  void on_change(const subscription::Webhook& before, const subscription::Webhook& after);
  void forget(uint32_t webhook_number) { notes_.erase(webhook_number); }

  /// The state at `now`: without a pause that has ended.
  ReceiverNote of(uint32_t webhook_number, WallTime now) const;
  /// Webhooks whose circuit is open.
  size_t open_circuits() const;
  /// Before when nothing is sent to it, for either reason; the epoch: at once.
  WallTime waits_until(uint32_t webhook_number, WallTime now) const;

 private:
  std::unordered_map<uint32_t, ReceiverNote> notes_;
};

}  // namespace ringpost::control
