#pragma once

#include "journal/position.h"
#include "journal/record.h"
#include "journal/writer.h"
#include "subscription/table.h"
#include "subscription/webhook_version.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace ringpost::delivery {

/// A circuit that is not closed, as others see it.
struct OpenCircuit {
  uint32_t failures = 0;  ///< Attempts in a row.
  WallTime probe_at{};    ///< The next attempt is not made before.
  Error last_failure{};
};

/// What the dispatcher needs from its shard.
class Host {
 public:
  virtual ~Host() = default;

  /// The subscriptions in force this turn.
  virtual const subscription::Snapshot& snapshot() = 0;
  /// Whether an attempt may begin beside those in flight: its end can be written down.
  virtual bool has_room_for_attempt(uint32_t in_flight) const = 0;
  /// Writes down the start (status in_flight) or the end of an attempt and tells the control
  /// thread.
  virtual void record(const journal::OutcomeView& outcome, journal::Urgency urgency) = 0;
  /// The end of an attempt whose trace is sampled, after `record`.
  virtual void on_attempt_traced(const journal::OutcomeView& outcome,
                                 const journal::EventRef& event) = 0;
  /// An event that no delivery holds any more, if it lies in what was read lately; else empty.
  virtual journal::EventRef event_at_hand(journal::Position event) = 0;
  /// Asks for an event that is not at hand; answered by Dispatcher::on_payload.
  virtual void want_payload(journal::Position event, uint64_t ticket) = 0;
  /// The receiver asked for a pause (Retry-After): the webhook gets nothing before `until`.
  virtual void on_receiver_paused(const subscription::WebhookVersion& webhook, WallTime until) = 0;
  /// Several attempts in a row failed: the webhook gets one attempt at a time, the next one not
  /// before `circuit.probe_at`. Called again for each that fails.
  virtual void on_circuit_open(const subscription::WebhookVersion& webhook,
                               const OpenCircuit& circuit) = 0;
  /// Its receiver works again.
  virtual void on_circuit_closed(const subscription::WebhookVersion& webhook) = 0;
  /// The receiver was asked for its permission (Dialect::asks_first).
  /// @param why_not  nothing: it agreed. Errc::origin_refused: it did not. Any other error: it did
  ///                 not come to an answer.
  virtual void on_permission(const subscription::WebhookVersion& webhook,
                             const std::optional<Error>& why_not) = 0;
  /// The request of a webhook that a program listens for (Dispatcher::set_listening): to be given
  /// to it. Answered by Dispatcher::on_listener_answer, or not at all. Lent for the call.
  struct ListenerRequest {
    uint64_t ticket = 0;
    uint32_t webhook_number = 0;
    Ulid delivery;
    uint32_t attempt = 0;
    std::string_view event_type;
    std::string_view event_source;
    std::string_view head;
    Bytes body;
  };
  virtual void on_listener_request(const ListenerRequest& request) = 0;
  /// Its time is up: no answer is wanted any more.
  virtual void on_listener_request_over(uint32_t webhook_number, uint64_t ticket) = 0;
  /// The endpoint answered 410: the webhook is to be disabled.
  virtual void on_endpoint_gone(const subscription::WebhookVersion& webhook) = 0;
};

}  // namespace ringpost::delivery
