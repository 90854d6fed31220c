#pragma once

#include "base/clock.h"
#include "base/siphash.h"
#include "base/ulid.h"
#include "index/filter.h"
#include "journal/record.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ringpost::index {

using journal::DeliveryStatus;
using journal::Position;

/// The hashes by which the index knows texts: 32 bits of SipHash under a key of the data directory,
/// so that nobody outside can aim collisions. Equal texts have equal hashes; the reverse is for the
/// caller to check, with the record.
class TextHash {
 public:
  explicit TextHash(uint64_t directory_id) : key_{directory_id, 0x696e646578} {}

  uint32_t of(std::string_view text) const {
    return static_cast<uint32_t>(siphash(key_, as_bytes(text)));
  }
  /// Of an event's id, within its organization.
  uint32_t of(std::string_view organization, std::string_view event_id) const {
    const uint64_t halves[2] = {siphash(key_, as_bytes(organization)),
                                siphash(key_, as_bytes(event_id))};
    return static_cast<uint32_t>(siphash(key_, std::as_bytes(std::span{halves})));
  }

 private:
  HashKey key_;
};

/// An event as the index knows it. The rest is in the journal.
struct EventFacts {
  Ulid uid;
  Position position;         ///< Of its record.
  uint32_t type_hash = 0;    ///< TextHash::of the type.
  uint32_t source_hash = 0;  ///< Likewise.
  Position origin{};         ///< Only of one that was carried forward: of its first record.

  bool is_carried() const { return origin.valid(); }
  /// As its first record has it.
  EventFacts first() const {
    return {.uid = uid,
            .position = is_carried() ? origin : position,
            .type_hash = type_hash,
            .source_hash = source_hash};
  }
};

/// An event and one webhook: what a delivery is, wherever its outcomes are.
struct DeliveryKey {
  Position event;  ///< Of its first record.
  uint32_t webhook_number = 0;

  uint64_t hash() const { return mix(event.packed ^ mix(webhook_number)); }
  friend auto operator<=>(const DeliveryKey&, const DeliveryKey&) = default;
};

/// What one OUTCOME record says. An attempt has one for its start (status in_flight) and one for
/// its end; attempt 0 is a cancellation without one, or (pending) a start that was taken back.
struct Outcome {
  DeliveryKey delivery;
  Position record;  ///< Of the OUTCOME; not valid if no space was left for it.
  uint32_t attempt = 0;
  DeliveryStatus status{};
  bool failed = false;  ///< `error` says why.
  Errc error{};
  uint16_t http_status = 0;     ///< 0: no answer.
  WallTime started_at{};        ///< Whole microseconds.
  WallTime next_attempt_at{};   ///< Whole seconds, rounded up; the epoch: at once, or none.
  bool of_earlier_run = false;  ///< Written before the process began: what is in flight died.
  // For totals. Index files do not keep them with the outcome.
  WallTime accepted_at{};  ///< The event; to a millisecond.
  WallTime ended_at{};     ///< The attempt.

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// With times rounded as the index keeps them.
Outcome to_outcome(const journal::OutcomeView& outcome, Position record);

/// Of several ends of one delivery that with the highest counts; 0: it is no end.
int rank_of_end(DeliveryStatus status);

/// Whether it cancels a delivery because a newer event says more about the same. Of outcomes that
/// cancel, these alone have an error.
bool is_superseded(const Outcome& outcome);

/// What the outcomes of one delivery come to.
struct DeliveryState {
  DeliveryStatus status = DeliveryStatus::pending;
  uint32_t attempts = 0;       ///< Made so far.
  WallTime next_attempt_at{};  ///< As Outcome::next_attempt_at, while it is pending.
  bool superseded = false;     ///< It is cancelled, as `is_superseded` says.
  // Of the newest attempt that has ended; as Outcome has it.
  bool failed = false;
  Errc error{};
  uint16_t http_status = 0;
  std::vector<Position> records;  ///< One for each attempt, the newest one's first: of its end, or
                                  ///< of its start if no end is known.
};

/// Takes all outcomes of one delivery, in any order, which it changes. Within a journal the order
/// of the records counts; between journals the number of the attempt. Of several ends, what reached
/// the receiver counts more than what was given up, and that more than a cancellation.
DeliveryState resolve(std::vector<Outcome>& outcomes);

/// A delivery as the index knows it.
struct DeliveryFacts {
  Ulid id;
  EventFacts event;
  uint32_t webhook_number = 0;
  DeliveryState state;
};

}  // namespace ringpost::index
