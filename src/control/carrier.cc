#include "control/carrier.h"

#include "base/bytes.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

using journal::Position;

namespace {

/// On their way at the same time.
constexpr size_t events_max = 64;
constexpr uint64_t bytes_max = 1024 * 1024;
/// For each byte that comes in, so many may be written again.
constexpr uint64_t share = 4;

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
  if (next_ == left_.size() || segment != segment_) {
    if (!sent_.empty()) return;
    begin(segment);
    if (left_.empty()) not_before_ = now + stuck_interval;
  }
  while (next_ < left_.size() && sent_.size() < events_max && bytes_sent_ < bytes_max) {
    if (allowance_ == 0) {
      not_before_ = now + stuck_interval;
      if (std::exchange(short_, true)) return;
      return log_warning(
          "what is pending takes most of journal.retention_bytes: old journal segments stay until "
          "some of it is delivered, and the journal grows beyond that; raise "
          "journal.retention_bytes, mend the receivers or disable their webhooks");
    }
    send(left_[next_++], wall_now);
  }
}

void Carrier::begin(Position segment) {
  segment_ = segment;
  left_ = parts_.pending.events_in(segment.journal(), segment.segment());
  std::erase_if(left_, [this](const auto& one) { return stuck_.contains(one.event.packed); });
  next_ = 0;
}

void Carrier::send(const PendingTable::Handle& event, WallTime wall_now) {
  const auto pending = parts_.pending.find_pending(event);
  if (pending.empty()) return;
  const Position place = parts_.pending.place_of(event.event);
  const auto read = parts_.journals.read_event(place);
  if (!read) return leave(event.event, read.error());
  journal::EventView view = (*read)->view();
  journal::Carried carried{.origin = event.event,
                           .times = view.is_carried() ? view.unpack_carried().times + 1 : 1,
                           .at = wall_now,
                           .states = {},
                           .floors = parts_.ledger.floors()};
  std::vector<std::byte> numbers(pending.size() * sizeof(uint32_t));
  for (size_t index = 0; index < pending.size(); ++index) {
    store_le(&numbers[index * sizeof(uint32_t)], pending[index].webhook_number);
    carried.states.push_back({pending[index].attempts, pending[index].next_attempt_at});
  }
  const std::vector<std::byte> packed = pack(carried);
  view.webhook_numbers = numbers;
  view.carried = packed;
  journal::EventRef again = journal::EventCodec::encode(view);
  const uint64_t ticket = next_ticket_++;
  const uint64_t bytes = again->record().size();
  sent_[ticket] = {bytes, event.event};
  bytes_sent_ += bytes;
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
  } else if (answer.error.code == Errc::too_large) {
    leave(sent.event, answer.error);
  } else {
    not_before_ = now + retry_interval;
  }
  return true;
}

/// Its segment stays until it has been delivered or given up.
void Carrier::leave(Position event, const Error& why) {
  stuck_.insert(event.packed);
  log_error("journal " + std::to_string(segment_.journal()) + ": segment " +
            std::to_string(segment_.segment()) +
            " stays although it is old, because an event with pending deliveries cannot be "
            "written again (" +
            describe(why) + "); it goes when these have ended");
}

}  // namespace ringpost::control
