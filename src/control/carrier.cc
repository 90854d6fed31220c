#include "control/carrier.h"

#include "base/bytes.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using journal::Position;

namespace {

/// For each byte that comes in, so many may be written again.
constexpr uint64_t share = 4;

/// Deliveries that one piece of work looks at.
constexpr uint32_t entries_max = 2'000;

constexpr Duration retry_interval = std::chrono::seconds(1);
/// For events that cannot be written again at all, until somebody has had them.
constexpr Duration stuck_interval = std::chrono::minutes(5);

}  // namespace

void Carrier::set_allowance(uint64_t bytes) {
  const uint64_t all = bytes * (share + 1);
  allowance_ = allowance_max_ == 0 ? all : std::min(allowance_, all);
  allowance_max_ = all;
}

void Carrier::on_sealed(uint64_t bytes) {
  allowance_ = std::min(allowance_ + bytes * share, allowance_max_);
  short_ &= allowance_ < bytes;
}

/// What is written again fills segments as well: these do not count as new.
void Carrier::pay(uint64_t bytes) {
  allowance_ -= std::min(allowance_, bytes * (share + 1));
}

void Carrier::carry(Position segment, WallTime wall_now, Instant now) {
  if (not_before_ && now < *not_before_) return;
  not_before_.reset();
  if (segment != segment_) {
    if (!sent_.empty()) return;
    segment_ = segment;
    before_.reset();
    sent_any_ = false;
  }
  while (segment_.valid() && may_send() && has_allowance(now)) {
    if (!send_some(wall_now, now)) return;
  }
}

bool Carrier::history_is_whole() const {
  if (parts_.journals.unindexed() > 0) return false;
  const auto known = [this](const JournalAccess::Segment& one) {
    return parts_.history.has(static_cast<uint16_t>(one.journal), one.number);
  };
  return std::ranges::all_of(parts_.journals.segments(), known);
}

bool Carrier::has_allowance(Instant now) {
  if (allowance_ > 0) return true;
  not_before_ = now + stuck_interval;
  if (!std::exchange(short_, true)) {
    log_warning(
        "what is pending takes most of journal.retention_bytes: old journal segments stay until "
        "some of it is delivered, and the journal grows beyond that; raise "
        "journal.retention_bytes, mend the receivers or disable their webhooks");
  }
  return false;
}

/// @returns false if that is all for now.
bool Carrier::send_some(WallTime wall_now, Instant now) {
  if (!history_is_whole()) {  // It may have been when the segment was begun.
    segment_ = {};
    not_before_ = now + retry_interval;
    return false;
  }
  const auto page =
      parts_.history.pending({.journal = static_cast<uint16_t>(segment_.journal()),
                              .segment = segment_.segment(),
                              .before = before_,
                              .limit = static_cast<uint32_t>(events_max - sent_.size()),
                              .entries_max = entries_max});
  for (size_t which = 0; page && which < page->items.size(); ++which) {
    if (!may_send()) return false;
    const index::PendingEvent& event = page->items[which];
    before_ = event.uid;
    if (!stuck_.contains(event.position.packed)) send(event, wall_now);
  }
  if (page && page->next_before) {
    before_ = page->next_before;
    if (page->items.empty()) not_before_ = now;  // The next piece, soon.
    return !page->items.empty();
  }
  segment_ = {};  // What has failed is tried when it is gone through again.
  if (!page || !sent_any_) not_before_ = now + stuck_interval;
  return false;
}

namespace {

/// What is known of a delivery: outcomes that are still there tell it, or the record that the event
/// was carried in before.
journal::CarriedState state_of(const index::PendingDelivery& pending,
                               const journal::EventView& before) {
  const journal::CarriedState told{pending.attempts, pending.next_attempt_at};
  if (!before.is_carried()) return told;
  const journal::Carried carried = before.unpack_carried();
  for (uint32_t which = 0; which < before.webhook_count(); ++which) {
    if (before.webhook_number(which) != pending.webhook_number) continue;
    if (carried.states[which].attempts > pending.attempts) return carried.states[which];
    if (pending.attempts == 0) return carried.states[which];
  }
  return told;
}

}  // namespace

void Carrier::send(const index::PendingEvent& event, WallTime wall_now) {
  const Position place = parts_.pending.place_of(event.position);
  const auto read = parts_.journals.read_event(place);
  if (!read) return leave(event.position, read.error());
  const journal::EventView& before = (*read)->view();
  journal::EventView view = before;
  journal::Carried carried{.origin = event.position,
                           .times = view.is_carried() ? view.unpack_carried().times + 1 : 1,
                           .at = wall_now,
                           .states = {},
                           .floors = parts_.ledger.floors()};
  std::vector<uint32_t> webhooks;
  std::vector<std::byte> numbers(event.deliveries.size() * sizeof(uint32_t));
  for (const index::PendingDelivery& pending : event.deliveries) {
    store_le(&numbers[webhooks.size() * sizeof(uint32_t)], pending.webhook_number);
    webhooks.push_back(pending.webhook_number);
    carried.states.push_back(state_of(pending, before));
  }
  const std::vector<std::byte> packed = pack(carried);
  view.webhook_numbers = numbers;
  view.carried = packed;
  journal::EventRef again = journal::EventCodec::encode(view);
  const uint64_t ticket = next_ticket_++;
  const uint64_t bytes = again->record().size();
  sent_[ticket] = {bytes, event.position};
  bytes_sent_ += bytes;
  sent_any_ = true;
  parts_.pending.begin_carrying(event.position, std::move(webhooks));
  parts_.post.send(place.journal() % parts_.shard_count,
                   StoreEvent{.ticket = ticket, .event = std::move(again), .by_hand = false});
}

bool Carrier::on_stored(const StoreEventDone& answer, Instant now) {
  const auto found = sent_.extract(answer.ticket);
  if (found.empty()) return false;
  const Sent& sent = found.mapped();
  bytes_sent_ -= sent.bytes;
  if (!answer.failed) {
    ++events_;
    pay(sent.bytes);
    return true;
  }
  parts_.pending.give_up_carrying(sent.event);
  if (answer.error.code == Errc::too_large) {
    leave(sent.event, answer.error);
  } else {
    not_before_ = now + retry_interval;
  }
  return true;
}

/// Its segment stays until it has been delivered or given up.
void Carrier::leave(Position event, const Error& why) {
  stuck_.insert(event.packed);
  const Position place = parts_.pending.place_of(event);
  log_error("journal " + std::to_string(place.journal()) + ": segment " +
            std::to_string(place.segment()) +
            " stays although it is old, because an event with pending deliveries cannot be "
            "written again (" +
            describe(why) + "); it goes when these have ended");
}

}  // namespace ringpost::control
