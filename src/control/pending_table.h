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

/// Which deliveries a former run left open: what a start makes of the records of all journals. When
/// shards have taken over theirs, the table goes; PendingTally counts from then on.
///
/// Memory: 64 bytes for an event with one delivery, 32 for each further one, and 4 to 8 for each
/// delivery; 4 for each event once it is complete. A delivery that has ended is forgotten.
///
/// An event that was carried forward is known by its first position; CarriedPlaces tells where its
/// record is now.
///
/// Events of one journal are told in the order of their positions. An outcome may be told before
/// its event: one journal is read after another.
class PendingTable {
 public:
  /// @param places  of events that were carried forward; kept up to date. Both outlive it.
  PendingTable(SegmentLedger& ledger, journal::CarriedPlaces& places)
      : ledger_(ledger), places_(places) {}

  /// Whose a webhook is, for the ledger. Without it, no outcome is known to be somebody's.
  void set_owner_of(OwnerOf owner_of) { owner_of_ = std::move(owner_of); }

  /// @param record  where the event's record is.
  /// @returns a record of the event that counts no more, because it was carried forward.
  std::optional<journal::Position> on_event(const journal::EventView& event,
                                            journal::Position record);
  void on_outcome(const index::Outcome& outcome);

  /// Call once, when all journals have been read: drops what has no event any more, treats events
  /// at or below `marks` as settled. The table is complete.
  void finish_recovery(const SettledMarks& marks);

  // Of a table that is complete; any number of threads.

  /// Visits the events that are pending for somebody, in the order of their positions; of each, the
  /// deliveries by rising webhook number.
  void for_each(const index::Index::VisitPending& visit) const;
  /// Says which shard each delivery is for. @param owner_of  of a webhook, by its number.
  void assign(const std::function<uint32_t(uint32_t)>& owner_of);
  /// As the other, of the deliveries that are assigned to the shard.
  void for_each(uint32_t shard, const index::Index::VisitPending& visit) const;

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
    uint32_t event_next = no_slot;
    uint32_t event_previous = no_slot;
    uint32_t due_s = 0;
    uint32_t attempts : 22 = 0;
    uint32_t state : 2 = 0;
    uint32_t start_journal : 8 = 0;  // While in flight: which journal tells of the start. Later
                                     // the shard that it is assigned to.
  };
  static_assert(sizeof(Event) == 32);
  static_assert(sizeof(Delivery) == 32);
  static_assert(journal::Position::journals_max <= 256);

  std::optional<journal::Position> on_carried(const journal::EventView& event,
                                              journal::Position record);
  bool is_replaced(journal::Position event, uint32_t times, journal::Position record);
  uint32_t told_event(const journal::EventView& event, journal::Position position) const;
  void keep_only(uint32_t event, const journal::EventView& view);
  void update(uint32_t event, const journal::EventView& view, const journal::Carried& carried);
  uint32_t begin_event(const journal::EventView& view, journal::Position position);
  void drop_ended(uint32_t event);
  template <typename Wanted>
  std::vector<index::PendingDelivery> deliveries_of(uint32_t event, Wanted wanted) const;
  template <typename Wanted>
  void visit_each(const index::Index::VisitPending& visit, Wanted wanted) const;
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
  std::vector<uint32_t> in_order() const;
  index::DeliveryKey key_of(const Delivery& delivery) const {
    return {events_[delivery.event].position(), delivery.webhook_number};
  }

  SegmentLedger& ledger_;
  OwnerOf owner_of_;
  SlotTable<Event, &Event::first_delivery> events_;
  SlotTable<Delivery, &Delivery::key_next> deliveries_;
  SlotIndex<Delivery, &Delivery::key_hash, &Delivery::key_next> by_key_;
  std::unordered_map<uint64_t, uint32_t> unseen_;  // Event position to event.
  struct Told {
    journal::Position first;
    journal::Position last;
  };
  std::vector<Told> told_;  // By journal: the events that were told.
  journal::CarriedPlaces& places_;
  // How often each event was carried, and where its record is.
  struct Carry {
    uint32_t times = 0;
    journal::Position record;
  };
  std::unordered_map<uint64_t, Carry> carried_;
  std::vector<uint32_t> order_;  // Once it is complete: its events, by position.
  uint64_t open_ = 0;
};

}  // namespace ringpost::control
