#pragma once

#include "base/clock.h"
#include "base/ulid.h"
#include "control/segment_ledger.h"
#include "control/slot_table.h"
#include "index/facts.h"
#include "index/index.h"
#include "journal/carried_places.h"
#include "journal/record.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

namespace ringpost::control {

/// Which deliveries are pending: the answer to "who still waits for what" after a start, and what
/// the ledger hears of events that are settled. A delivery that has ended is forgotten at once.
///
/// Memory: 72 bytes for an event with one delivery, 40 for each further one, and 4 to 8 for each
/// delivery; `delivery.pending_max` of all shards bounds it.
///
/// An event that was carried forward is known by its first position; CarriedPlaces tells where its
/// record is now.
///
/// Events of one journal are told in the order of their positions. An outcome may be told before
/// its event: a start reads one journal after another, and messages of shards overtake each other.
class PendingTable {
 public:
  /// @param places  of events that were carried forward; kept up to date. Both outlive it.
  PendingTable(SegmentLedger& ledger, journal::CarriedPlaces& places)
      : ledger_(ledger), places_(places) {}

  /// Whose a webhook is, for the ledger. Without it, no outcome is known to be somebody's.
  using OwnerOf = std::function<OrganizationKey(uint32_t webhook_number)>;
  void set_owner_of(OwnerOf owner_of) { owner_of_ = std::move(owner_of); }

  /// @param record  where the event's record is.
  /// @returns a record of the event that counts no more, because it was carried forward.
  std::optional<journal::Position> on_event(const journal::EventView& event,
                                            journal::Position record);
  void on_outcome(const index::Outcome& outcome);

  /// Call once, when all journals have been read: drops what has no event any more, treats events
  /// at or below `marks` as settled.
  void finish_recovery(const SettledMarks& marks);
  /// Visits the events that are pending for somebody, in the order of their positions; of each, the
  /// deliveries by rising webhook number.
  void for_each(const index::Index::VisitPending& visit) const;

  /// An event that is pending for somebody, for as long as it is (`find_pending`).
  struct Handle {
    journal::Position event;
    uint32_t slot = 0;
  };
  /// Those whose records are in a segment, in the order of their positions. Looks at all.
  std::vector<Handle> events_in(uint32_t journal, uint32_t segment) const;
  /// By rising webhook number; empty: it is pending for nobody any more.
  std::vector<index::PendingDelivery> find_pending(const Handle& event) const;

  /// @param delivery  of an event that was told.
  bool is_pending(const index::DeliveryKey& delivery) const { return find(delivery) != no_slot; }

  /// Where the record of an event is.
  journal::Position place_of(journal::Position event) const { return places_.place_of(event); }

  /// When the oldest event that is pending for somebody was accepted.
  std::optional<WallTime> oldest_at() const;
  /// The same of some webhooks, and of one.
  std::optional<WallTime> oldest_at(const index::WantsWebhook& wants) const;
  std::optional<WallTime> oldest_at(uint32_t webhook_number) const;

  uint64_t count() const { return open_; }
  size_t memory_bytes() const;
  /// For simulations: all that is counted and linked fits together. Visits everything.
  void check() const;

 private:
  struct Event {
    Ulid uid;
    uint32_t position_low = 0;  // A position in two halves loses nothing to padding.
    uint32_t position_high = 0;
    uint32_t first_delivery = no_slot;
    uint32_t seen = 0;  // 0: only outcomes of it were told so far.

    journal::Position position() const { return {uint64_t{position_high} << 32 | position_low}; }
    void set_position(journal::Position position) {
      position_low = static_cast<uint32_t>(position.packed);
      position_high = static_cast<uint32_t>(position.packed >> 32);
    }
  };
  enum class State : uint32_t {
    waiting,
    in_flight,
    ended,  // Until its event is told.
  };
  struct Delivery {
    uint32_t event = no_slot;  // None: the slot is free.
    uint32_t webhook_number = 0;
    uint32_t key_hash = 0;
    uint32_t key_next = no_slot;
    uint32_t older = no_slot;  // Of the same webhook; linked once the event was told.
    uint32_t newer = no_slot;
    uint32_t event_next = no_slot;
    uint32_t event_previous = no_slot;
    uint32_t due_s = 0;
    uint32_t attempts : 22 = 0;
    uint32_t state : 2 = 0;
    uint32_t start_journal : 8 = 0;  // While in flight: which journal tells of the start.
  };
  static_assert(sizeof(Event) == 32);
  static_assert(sizeof(Delivery) == 40);
  static_assert(journal::Position::journals_max <= 256);

  struct Chain {  // Of a webhook's deliveries, by older and newer.
    uint32_t oldest = no_slot;
    uint32_t latest = no_slot;  // Linked last, or a neighbour of it.
  };

  std::optional<journal::Position> on_carried(const journal::EventView& event,
                                              journal::Position record);
  bool is_replaced(journal::Position event, uint32_t times, journal::Position record);
  uint32_t told_event(const journal::EventView& event, journal::Position position) const;
  void keep_only(uint32_t event, const journal::EventView& view);
  void update(uint32_t event, const journal::EventView& view, const journal::Carried& carried);
  uint32_t begin_event(const journal::EventView& view, journal::Position position);
  void drop_ended(uint32_t event);
  std::vector<index::PendingDelivery> deliveries_of(uint32_t event) const;
  bool was_told(journal::Position event) const;
  void note_told(journal::Position event);
  uint32_t find(const index::DeliveryKey& key) const;
  uint32_t unseen_event_at(journal::Position position);
  uint32_t add_delivery(uint32_t event, uint32_t webhook_number);
  void tell_start(Delivery& delivery, const index::Outcome& outcome);
  void tell_wait(Delivery& delivery, const index::Outcome& outcome);
  void end(uint32_t delivery);
  void drop(uint32_t delivery);
  void drop_event_if_done(uint32_t event);
  void drop_deliveries(uint32_t event);
  void drop_unseen();
  void link_by_time(uint32_t delivery);
  void unlink_by_time(uint32_t delivery);
  const Ulid& uid_of(uint32_t delivery) const { return events_[deliveries_[delivery].event].uid; }
  index::DeliveryKey key_of(const Delivery& delivery) const {
    return {events_[delivery.event].position(), delivery.webhook_number};
  }
  void check_chains() const;

  SegmentLedger& ledger_;
  OwnerOf owner_of_;
  SlotTable<Event, &Event::first_delivery> events_;
  SlotTable<Delivery, &Delivery::key_next> deliveries_;
  SlotIndex<Delivery, &Delivery::key_hash, &Delivery::key_next> by_key_;
  std::unordered_map<uint64_t, uint32_t> unseen_;  // Event position to event.
  std::unordered_map<uint32_t, Chain> chains_;     // By webhook number.
  struct Told {
    journal::Position first;
    journal::Position last;
  };
  std::vector<Told> told_;  // By journal: the events that were told.
  journal::CarriedPlaces& places_;
  // During recovery: how often each event was carried, and where its record is.
  struct Carry {
    uint32_t times = 0;
    journal::Position record;
  };
  std::unordered_map<uint64_t, Carry> carried_;
  bool recovered_ = false;
  uint64_t open_ = 0;
};

}  // namespace ringpost::control
