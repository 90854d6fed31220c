#include "control/receiver_notes.h"

namespace ringpost::control {

void ReceiverNotes::on_pause(uint32_t webhook_number, WallTime until) {
  notes_[webhook_number].paused_until = until;
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
  return note;
}

}  // namespace ringpost::control
