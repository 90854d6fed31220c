#pragma once

#include "base/clock.h"
#include "base/siphash.h"
#include "base/ulid.h"
#include "control/segment_ledger.h"
#include "control/slot_table.h"
#include "journal/record.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ringpost::control {

/// What one OUTCOME record says about its delivery, in the form that the index keeps. An attempt
/// has one for its start (status in_flight) and one for its end, which takes the other's place.
struct OutcomeFact {
  Ulid delivery;
  journal::Position event;
  journal::Position record;  ///< Of the OUTCOME; not valid if no space was left for it.
  uint32_t webhook_number = 0;
  uint32_t attempt = 0;  ///< 0: a cancellation without an attempt.
  journal::DeliveryStatus status{};
  WallTime started_at{};
  WallTime next_attempt_at{};
};

/// What recovery reads, as the index takes it.
OutcomeFact to_fact(const journal::OutcomeView& outcome, journal::Position record);

/// A delivery as the index knows it. The rest is in the journal.
struct DeliveryFacts {
  uint32_t index = no_slot;
  Ulid id;
  Ulid event_uid;
  journal::Position event;
  uint32_t webhook_number = 0;
  journal::DeliveryStatus status{};
  uint32_t attempts = 0;
  WallTime next_attempt_at{};       ///< Whole seconds; the epoch: at once, or not pending.
  journal::Position newest_record;  ///< Of the newest attempt's outcome; may be invalid.
};

/// Someone an event still has to reach, found after a restart.
struct PendingDelivery {
  uint32_t webhook_number = 0;
  uint32_t attempts = 0;       ///< Made so far.
  WallTime next_attempt_at{};  ///< The epoch: at once.
};

/// The index of events and deliveries that the management API reads, and the answer to "who still
/// waits for what" after a restart. Holds positions, not contents: about 110 bytes for an event
/// with one delivery, 58 for each further one, 12 for each attempt after the first.
///
/// Bounded: beyond `deliveries_max` the deliveries settled longest ago are forgotten (the journal
/// still has them). Pending ones are never forgotten.
///
/// An outcome may be told before its event: journals are read one after another, and shards'
/// messages overtake each other. Order never matters for what is pending.
class History {
 public:
  struct Options {
    uint64_t deliveries_max = 1'000'000;
    HashKey hash_key{};
  };

  History(SegmentLedger& ledger, const Options& options);

  // --- writing ---

  void on_event(const journal::EventView& event, journal::Position position);
  void on_outcome(const OutcomeFact& fact);

  /// Call once, when all journals have been read: drops what has no event any more, treats events
  /// at or below `marks` as settled.
  void finish_recovery(const SettledMarks& marks);
  /// Visits the events that are pending for somebody, in the order of their positions.
  void for_each_pending(
      const std::function<void(journal::Position, const Ulid& uid,
                               const std::vector<PendingDelivery>&)>& visit) const;

  /// The segment has gone from the disk: so has everything about its events. None is pending.
  void forget_segment(uint32_t journal, uint32_t segment);

  // --- reading ---

  /// By its id in either spelling.
  std::optional<DeliveryFacts> delivery(const Ulid& id) const;
  /// The deliveries of an event that the index still has, by rising webhook number.
  std::vector<DeliveryFacts> deliveries_of(uint32_t event_index) const;
  /// Positions of the outcomes of a delivery's attempts, the newest one's first: of an attempt's
  /// end, or of its start if no end is known.
  std::vector<journal::Position> outcomes(const DeliveryFacts& delivery) const;

  struct EventFacts {
    uint32_t index = no_slot;
    Ulid uid;
    journal::Position position;
  };
  /// Events of an organization that may have this id: hashes can collide, and ids are unique per
  /// source only. Newest first. Other organizations' events of the same id are not among them, so
  /// none can crowd out another's.
  std::vector<EventFacts> events(std::string_view organization, std::string_view id) const;

  /// Walks a webhook's deliveries, the newest event's first: by the events' uids, which begin with
  /// the time when each was accepted. The order is the same after a restart.
  class Walk {
   public:
    bool ended() const { return index_ == no_slot; }
    DeliveryFacts facts() const { return history_->facts(index_); }
    bool type_may_be(std::string_view type) const;
    void advance();

   private:
    friend class History;
    Walk(const History& history, uint32_t index) : history_(&history), index_(index) {}
    const History* history_;
    uint32_t index_;
  };
  Walk newest(uint32_t webhook_number) const;
  /// Where a walk that ended with the delivery of this event goes on, also when that is forgotten
  /// meanwhile.
  Walk after(uint32_t webhook_number, const Ulid& event_uid) const;

  /// When the oldest event that is pending for somebody was accepted. Scans all events when the one
  /// it found last has settled.
  std::optional<WallTime> oldest_pending_at() const;

  /// The same of one webhook. Goes on from where the last call for it ended: all calls together
  /// look once at each of its deliveries.
  std::optional<WallTime> oldest_pending_at(uint32_t webhook_number) const;

  /// For simulations: all that is counted and linked fits together. Visits everything.
  void check() const;

  uint64_t delivery_count() const { return deliveries_.taken(); }
  uint64_t pending_count() const { return pending_; }
  size_t memory_bytes() const;

 private:
  /// A position in two halves: slots are then aligned to four bytes and lose none to padding.
  struct PackedPosition {
    uint32_t low = 0;
    uint32_t high = 0;

    PackedPosition() = default;
    PackedPosition(journal::Position position)  // NOLINT(google-explicit-constructor)
        : low(static_cast<uint32_t>(position.packed)),
          high(static_cast<uint32_t>(position.packed >> 32)) {}
    journal::Position unpack() const { return {uint64_t{high} << 32 | low}; }
  };
  struct Event {
    Ulid uid;
    PackedPosition position;  // Not valid: the slot is free.
    uint32_t id_hash = 0;
    uint32_t id_next = no_slot;
    uint32_t type_hash = 0;
    uint32_t first_delivery = no_slot;
    uint32_t open : 31 = 0;  // Deliveries that are not settled.
    uint32_t seen : 1 = 0;   // 0: only outcomes of it were told so far.
  };
  struct Delivery {
    PackedPosition newest_record;
    uint32_t event = no_slot;  // None: the slot is free.
    uint32_t webhook_number = 0;
    uint32_t id_hash = 0;
    uint32_t id_next = no_slot;
    uint32_t older = no_slot;  // Of the same webhook; linked once the event was told.
    uint32_t newer = no_slot;
    uint32_t event_next = no_slot;
    uint32_t event_previous = no_slot;
    uint32_t earlier_attempts = no_slot;
    uint32_t due_s = 0;  // While pending: when the next attempt is due. Settled: next in settled_.
    uint32_t attempts : 24 = 0;
    uint32_t status : 8 = 0;
  };
  struct Attempt {  // The newest attempt's position is in its Delivery.
    PackedPosition record;
    uint32_t earlier = no_slot;
  };
  static_assert(sizeof(Event) == 44);
  static_assert(sizeof(Delivery) == 52);
  static_assert(sizeof(Attempt) == 12);

  struct Chain {  // A webhook's deliveries, by older and newer.
    uint32_t newest = no_slot;
    uint32_t latest = no_slot;  // Linked last, or a neighbour of it.
    // All that are older are settled; none: all are.
    mutable uint32_t oldest_open = no_slot;
  };
  struct Queue {  // Of settled deliveries, by due_s.
    uint32_t first = no_slot;
    uint32_t last = no_slot;
  };

  using Events = SlotTable<Event, &Event::id_next>;
  using Deliveries = SlotTable<Delivery, &Delivery::id_next>;

  uint32_t hash_of(std::string_view text) const;
  uint32_t hash_of(std::string_view organization, std::string_view event_id) const;
  static uint32_t hash_of(const Ulid& delivery);
  static bool settled(const Delivery& delivery);
  DeliveryFacts facts(uint32_t index) const;
  Ulid id_of(const Delivery& delivery) const;
  const Ulid& uid_of(uint32_t delivery) const;

  uint32_t find(const Ulid& id, journal::Position event, uint32_t webhook_number) const;
  uint32_t find(const Ulid& id) const;
  uint32_t unseen_event_at(journal::Position position);
  uint32_t add_delivery(uint32_t event, uint32_t webhook_number, const Ulid& id);
  void record_attempt(Delivery& delivery, const OutcomeFact& fact);
  void apply_status(uint32_t index, const OutcomeFact& fact);
  void close_one(Delivery& delivery);

  void link_by_time(uint32_t index);
  void unlink_by_time(uint32_t index);
  void unlink(uint32_t index);
  void enqueue_settled(uint32_t index);
  void drop_delivery(uint32_t index);
  void drop_event(uint32_t event);
  void drop_unseen();
  void settle_marked(const SettledMarks& marks);
  void sort_settled();
  void forget_queued(uint32_t journal, uint32_t segment);
  uint64_t check_event(const Event& event) const;
  void check_chains() const;
  void evict();

  SegmentLedger& ledger_;
  const Options options_;

  Events events_;
  SlotIndex<Event, &Event::id_hash, &Event::id_next> events_by_id_;
  Deliveries deliveries_;
  SlotIndex<Delivery, &Delivery::id_hash, &Delivery::id_next> deliveries_by_id_;
  SlotTable<Attempt, &Attempt::earlier> attempts_;

  std::unordered_map<uint64_t, uint32_t> unseen_;  // Event position to event.
  std::unordered_map<uint32_t, Chain> chains_;     // By webhook number.
  std::deque<uint32_t> bare_events_;               // Without deliveries, by age.
  Queue settled_;                                  // The one settled longest ago first.
  uint64_t pending_ = 0;
  mutable uint32_t oldest_pending_ = no_slot;  // Event found last; may be outdated.
  mutable Ulid oldest_pending_uid_;
};

}  // namespace ringpost::control
