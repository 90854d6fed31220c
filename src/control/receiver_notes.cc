#include "control/receiver_notes.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {
namespace {

/// A receiver that is away for a moment, a restart for example, is not worth a line: by then its
/// circuit has been open for seven seconds.
constexpr uint32_t failures_logged = 8;

}  // namespace

void ReceiverNotes::on_pause(uint32_t webhook_number, WallTime until) {
  notes_[webhook_number].paused_until = until;
}

bool ReceiverNotes::on_circuit_open(uint32_t webhook_number, const CircuitNote& circuit) {
  ReceiverNote& note = notes_[webhook_number];
  note.circuit = circuit;
  return circuit.failures >= failures_logged && !std::exchange(note.logged, true);
}

bool ReceiverNotes::on_circuit_closed(uint32_t webhook_number) {
  const auto found = notes_.find(webhook_number);
  if (found == notes_.end()) return false;
  found->second.circuit = {};
  return std::exchange(found->second.logged, false);
}

size_t ReceiverNotes::open_circuits() const {
  return static_cast<size_t>(std::ranges::count_if(
      notes_, [](const auto& entry) { return entry.second.circuit.failures > 0; }));
}

WallTime ReceiverNotes::waits_until(uint32_t webhook_number, WallTime now) const {
  const ReceiverNote note = of(webhook_number, now);
  return std::max(note.paused_until, note.circuit.next_attempt_at);
}

void ReceiverNotes::on_permission(uint32_t webhook_number, const std::optional<Error>& why_not) {
  ReceiverNote& note = notes_[webhook_number];
  note.permitted = !why_not;
  note.why_not = why_not;
}

void ReceiverNotes::on_change(const subscription::Webhook& before,
                              const subscription::Webhook& after) {
  const auto found = notes_.find(after.number);
  if (found == notes_.end()) return;
  const WallTime paused_until = found->second.paused_until;
  const bool same = after.active() && before.destination.url == after.destination.url;
  found->second = {};
  if (same) found->second.paused_until = paused_until;
}

ReceiverNote ReceiverNotes::of(uint32_t webhook_number, WallTime now) const {
  const auto found = notes_.find(webhook_number);
  if (found == notes_.end()) return {};
  ReceiverNote note = found->second;
  if (note.paused_until <= now) note.paused_until = {};
  if (note.circuit.next_attempt_at <= now) note.circuit.next_attempt_at = {};
  return note;
}

}  // namespace ringpost::control
