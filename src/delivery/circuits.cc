// What attempts show of their receivers, and whether the next one is worth making: the dispatcher's
// circuits and windows (README.md, "Isolation").

#include "delivery/dispatcher.h"
#include "delivery/retry.h"

#include <algorithm>
#include <utility>

namespace ringpost::delivery {

// --- before an attempt ---------------------------------------------------------------------------

/// @returns false if the target waits for the next probe of its own circuit or its endpoint's, or
/// for what one of them shows.
bool Dispatcher::circuits_admit(Target& target) {
  const Instant now = ring_.now();
  Endpoint& endpoint = *target.endpoint;
  const bool reachable = !endpoint.idle.empty() || endpoint.circuit.admits(now);
  const Circuit& shut = reachable ? target.conduct.circuit : endpoint.circuit;
  if (reachable && shut.admits(now)) return true;
  const ReadyQueue::Place oldest = target.ready.oldest();
  if (overdue(target, oldest)) {
    give_up(take(target, oldest), last_failure_of(target));
    return false;
  }
  if (shut.state() == Circuit::State::half_open && reachable) return false;  // Until it is settled.
  if (reachable) {
    ring_.arm<&Target::on_pace_due>(target, target.pace_timer, shut.probe_at() - now);
    return false;
  }
  if (shut.state() == Circuit::State::open && !endpoint.probe_timer.armed()) {
    ring_.arm<&Endpoint::on_probe_due>(endpoint, endpoint.probe_timer, shut.probe_at() - now);
  }
  endpoint.blocked.push_back(target);
  return false;
}

/// Whether the delivery has waited for as long as its schedule could have taken, and its receiver
/// did not work for as long: without attempts it would wait for ever.
bool Dispatcher::overdue(const Target& target, const ReadyQueue::Place& place) const {
  if (place.delivery != nullptr && place.delivery->enquiry) return false;
  const Duration patience = patience_of(target.schedule_s);
  const Circuit& own = target.conduct.circuit;
  const Circuit& shared = target.endpoint->circuit;
  const Instant since = own.closed()      ? shared.opened_at()
                        : shared.closed() ? own.opened_at()
                                          : std::min(own.opened_at(), shared.opened_at());
  return ring_.now() - since > patience && ring_.wall_now() - place.id().time() > patience;
}

/// Whoever sends something by hand, or changed the webhook, wants to know now what comes of it.
void Dispatcher::hasten(Target& target) {
  target.conduct.circuit.hasten(ring_.now());
  ring_.disarm(target.pace_timer);  // What else it waits for is looked at again.
  if (target.endpoint == nullptr) return;
  target.endpoint->circuit.hasten(ring_.now());
  release(*target.endpoint);
}

/// Circuits that are open go by the limit of now.
void Dispatcher::limit_pauses() {
  const bool never = limits_.circuit.failures_max == 0;
  const Instant latest = ring_.now() + (never ? Duration::zero() : limits_.circuit.pause_max);
  for (auto& [key, endpoint] : endpoints_) {
    endpoint->circuit.hasten(latest);
    ring_.disarm(endpoint->probe_timer);  // Whoever still waits arms it again.
  }
  for (auto& [number, target] : targets_) {
    if (target->conduct.circuit.closed()) continue;
    target->conduct.circuit.hasten(latest);
    ring_.disarm(target->pace_timer);
    activate(*target);
  }
}

// --- after an attempt ----------------------------------------------------------------------------

Dispatcher::Showing Dispatcher::showing(const AttemptResult& result) {
  if (!result.error) return Showing::success;
  switch (result.error->code) {
    case Errc::refused:
    case Errc::unreachable:
    case Errc::reset:
    case Errc::closed:
    case Errc::timed_out:
    case Errc::name_unresolved:
    case Errc::name_timed_out:
    case Errc::tls_failed:
    case Errc::certificate_invalid: return Showing::failure;
    case Errc::bad_status:
    case Errc::origin_refused: {
      const uint16_t status = result.http_status;
      if (status != 429 && status < 500) return Showing::answered;
      // One that says when to come back is paused for as long (Standing::paused_until).
      const bool pauses = may_pause(status) && result.retry_after.value_or(Duration{}) > Duration{};
      return pauses ? Showing::too_much : Showing::failure;
    }
    case Errc::malformed:
    case Errc::too_large: return Showing::answered;
    default: return Showing::nothing;
  }
}

/// What the attempt showed of its receiver, and of its endpoint where it was not even asked.
void Dispatcher::learn(const Attempt& attempt, const AttemptResult& result) {
  learn_of_endpoint(attempt, result);
  Target& target = *attempt.delivery->target;
  const bool current = attempt.webhook.updated_at == target.conduct.webhook_updated_at;
  if (!current) return;
  const Instant now = ring_.now();
  const Showing shown = showing(result);
  Conduct& conduct = target.conduct;
  bool works_again = false;
  switch (result.connected || shown != Showing::failure ? shown : Showing::nothing) {
    case Showing::success:
      conduct.window.on_success(target.concurrency_max);
      works_again = conduct.circuit.on_success();
      conduct.good = now - attempt.started < limits_.good_time_max;
      break;
    case Showing::answered: works_again = conduct.circuit.on_success(); break;
    case Showing::too_much:
      conduct.good = false;
      conduct.window.on_failure(attempt.started, now);
      works_again = conduct.circuit.on_success();
      break;
    case Showing::failure:
      conduct.good = false;
      conduct.last_failure = *result.error;
      conduct.window.on_failure(attempt.started, now);
      conduct.circuit.on_failure(attempt.probes_webhook, now, limits_.circuit, ring_.random());
      break;
    case Showing::nothing: conduct.circuit.on_no_result(attempt.probes_webhook); break;
  }
  if (works_again) ring_.disarm(target.pace_timer);  // What else it waits for is looked at again.
  tell_of_circuits(target);
}

/// It could not be reached, or nobody knows. That it was reached is known before: `on_connected`.
void Dispatcher::learn_of_endpoint(const Attempt& attempt, const AttemptResult& result) {
  Endpoint& endpoint = *attempt.endpoint;
  if (!result.connected && showing(result) == Showing::failure) {
    endpoint.last_failure = *result.error;
    const bool closed = endpoint.circuit.closed();
    const bool opened = endpoint.circuit.on_failure(attempt.probes_endpoint, ring_.now(),
                                                    limits_.circuit, ring_.random());
    if (opened || closed != endpoint.circuit.closed()) tell_all_of_circuits(endpoint);
  } else if (attempt.probes_endpoint) {
    endpoint.circuit.on_no_result(true);
  }
  if (attempt.probes_endpoint) release(endpoint);
}

void Dispatcher::on_connected(Attempt& attempt, Endpoint& endpoint) {
  attempt.probes_endpoint = false;
  if (!endpoint.circuit.on_success()) return;
  tell_all_of_circuits(endpoint);
  release(endpoint);
}

void Dispatcher::tell_all_of_circuits(Endpoint& endpoint) {
  endpoint.targets.for_each([this](Target& target) { tell_of_circuits(target); });
}

/// Whether what is known of its receiver is about the webhook as it is now.
bool Dispatcher::is_current(const Target& target) {
  const subscription::Webhook* webhook = host_.snapshot().webhook(target.webhook_number);
  return webhook != nullptr && webhook->updated_at == target.conduct.webhook_updated_at;
}

/// Of whichever lets the next attempt go later.
void Dispatcher::tell_of_circuits(Target& target) {
  if (!is_current(target)) return;
  const Circuit& own = target.conduct.circuit;
  const Circuit& shared = target.endpoint->circuit;
  if (own.closed() && shared.closed()) {
    if (std::exchange(target.conduct.told, false)) host_.on_circuit_closed(target.version());
    return;
  }
  const bool by_own = shared.closed() || (!own.closed() && own.probe_at() > shared.probe_at());
  const Circuit& circuit = by_own ? own : shared;
  if (circuit.state() != Circuit::State::open) return;
  target.conduct.told = true;
  host_.on_circuit_open(
      target.version(),
      {.failures = circuit.failures(),
       .probe_at = ring_.wall_now() + (circuit.probe_at() - ring_.now()),
       .last_failure = by_own ? target.conduct.last_failure : target.endpoint->last_failure});
}

/// Why its receiver gets nothing.
Error Dispatcher::last_failure_of(const Target& target) {
  const Endpoint& endpoint = *target.endpoint;
  return endpoint.circuit.closed() ? target.conduct.last_failure : endpoint.last_failure;
}

}  // namespace ringpost::delivery
