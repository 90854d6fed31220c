#pragma once

#include "base/clock.h"
#include "base/ulid.h"
#include "control/pending_ages.h"
#include "control/segment_ledger.h"
#include "index/facts.h"
#include "index/index.h"
#include "journal/carried_places.h"
#include "journal/record.h"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ringpost::control {

/// How much is pending while the relay runs: in each segment (SegmentLedger), of each webhook, and
/// since when. Which deliveries these are the shards know, and the history (`src/index`) tells: a
/// delivery that waits costs nothing here.
///
/// A shard tells of the end of each of its deliveries once, so counting is enough. Events of one
/// journal are told in the order of their positions; an outcome may be told before its event,
/// because the messages of two shards overtake each other.
///
/// An event that was carried forward is known by its first position; CarriedPlaces tells where its
/// record is now.
class PendingTally {
 public:
  /// @param places  of events that were carried forward; kept up to date. Both outlive it.
  PendingTally(SegmentLedger& ledger, journal::CarriedPlaces& places)
      : ledger_(ledger), places_(places) {}

  /// Whose a webhook is, for the ledger. Without it, no outcome is known to be somebody's.
  void set_owner_of(OwnerOf owner_of) { owner_of_ = std::move(owner_of); }

  /// At the start, for each event with deliveries that a former run left open.
  void restore(journal::Position event, const Ulid& uid,
               const std::vector<index::PendingDelivery>& pending);

  /// @param record  where the event's record is.
  /// @returns a record of the event that counts no more, because it was carried forward.
  std::optional<journal::Position> on_event(const journal::EventView& event,
                                            journal::Position record);
  void on_outcome(const index::Outcome& outcome);

  /// What the event is pending for is written again: until `on_event` has the new record, or
  /// `give_up_carrying`, its ends are noted.
  void begin_carrying(journal::Position event, std::vector<uint32_t> webhook_numbers);
  void give_up_carrying(journal::Position event) { carrying_.erase(event.packed); }

  /// Where the record of an event is.
  journal::Position place_of(journal::Position event) const { return places_.place_of(event); }

  /// When the oldest event that is pending for somebody was accepted: as exact as PendingAges.
  std::optional<WallTime> oldest_at() const;
  /// The same of some webhooks, and of one.
  std::optional<WallTime> oldest_at(const index::WantsWebhook& wants) const;
  std::optional<WallTime> oldest_at(uint32_t webhook_number) const;

  uint64_t count() const { return open_; }
  size_t memory_bytes() const;
  /// For simulations: all that is counted fits together.
  void check() const;

 private:
  journal::Position on_carried(const journal::EventView& event, journal::Position record);
  void add(journal::Position record, uint32_t webhook_number, WallTime accepted_at);
  void end(const index::Outcome& outcome);
  void end_carried(journal::Position event, uint32_t webhook_number);
  bool was_told(journal::Position event) const;
  void note_told(journal::Position event);

  SegmentLedger& ledger_;
  journal::CarriedPlaces& places_;
  OwnerOf owner_of_;
  uint64_t open_ = 0;
  std::unordered_map<uint32_t, PendingAges> ages_;  // By webhook number; none is empty.
  std::vector<journal::Position> told_;             // By journal: the last event that was told.
  // By event: webhooks whose deliveries ended before it was told.
  std::unordered_map<uint64_t, std::vector<uint32_t>> early_;
  // By event that is being written again: webhooks that it is still pending for.
  std::unordered_map<uint64_t, std::vector<uint32_t>> carrying_;
  std::unordered_map<uint64_t, uint32_t> carried_;  // By event that was: for how many pending.
};

}  // namespace ringpost::control
