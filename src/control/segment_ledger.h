#pragma once

#include "base/clock.h"
#include "control/organization_ages.h"
#include "journal/position.h"
#include "journal/record.h"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace ringpost::control {

/// For each journal, the newest segment of which it is durably known that no event in it or before
/// it is pending, whatever OUTCOME records are still there to say so. Index: the journal's number.
using SettledMarks = std::vector<uint32_t>;

/// How long records of organizations are kept.
struct RecordAges {
  Duration age{};                               ///< Of whom no other is known.
  std::map<OrganizationKey, Duration> special;  ///< None is longer.

  Duration of(OrganizationKey organization) const {
    const auto found = special.find(organization);
    return found == special.end() ? age : found->second;
  }
};

/// When the newest records of a segment were made, by organization: of 64 each its own, of others
/// the newest of all.
class NewestRecords {
 public:
  static constexpr size_t organizations_max = 64;

  void note(OrganizationKey organization, WallTime time);
  WallTime newest() const { return newest_; }
  /// When all are older than the age of their organization.
  WallTime expires_at(const RecordAges& ages) const;

 private:
  WallTime newest_{};  ///< Of all.
  WallTime others_{};
  std::vector<std::pair<OrganizationKey, WallTime>> known_;
};

/// What each segment of each journal still matters for: which may be removed, and in what order.
///
/// A journal loses its oldest segment first, so what is left has no gap. A segment may go when
///   1. it is sealed and no event in it is pending for anybody, and
///   2. each event that its OUTCOME records speak of is in a segment that has gone, or goes with
///   it,
///      or at or below that journal's settled mark.
/// Without rule 2 a restart would find the event, miss its outcome, and deliver it again. Without
/// the marks, two journals that hold outcomes for each other's events could never shrink.
///
/// An event that was carried forward lies in two places: outcomes name its first one, and the
/// record that counts is in a newer segment. That record says what the outcomes had come to when it
/// was made. So of the newer ones (from its floors on) none may go
///   3. before the segment of the record has gone, goes with it, or is at or below the mark.
class SegmentLedger {
 public:
  /// The journal has this segment from now on (also for each segment found at start).
  void on_opened(uint32_t journal, uint32_t segment);
  /// @param organization  that owns it.
  void on_event(journal::Position event, WallTime accepted_at,
                OrganizationKey organization = OrganizationKey::unknown);
  /// @param record  where an event has a record from now on that was carried from `before`.
  void on_carried(journal::Position record, const journal::Carried& carried,
                  journal::Position before,
                  OrganizationKey organization = OrganizationKey::unknown);
  /// Of the event whose record this is, so many deliveries are pending, or no longer.
  void add_pending(journal::Position record, uint32_t deliveries);
  void settle(journal::Position record, uint32_t deliveries);
  void on_outcome(journal::Position outcome, journal::Position event, WallTime ended_at,
                  OrganizationKey organization = OrganizationKey::unknown);
  /// The segment is full; all of its events have been told to this ledger.
  void on_sealed(uint32_t journal, uint32_t segment);
  void on_removed(uint32_t journal, uint32_t segment);

  struct Oldest {
    uint32_t segment = 0;  ///< 0: the journal has none that is sealed.
    WallTime newest_record{};
    bool settled = false;   ///< Rule 1.
    WallTime expires_at{};  ///< NewestRecords::expires_at.
  };
  /// The oldest segment of a journal, if it is sealed.
  Oldest oldest(uint32_t journal, const RecordAges& ages = {}) const;

  /// The marks as they could be written now: they only rise.
  SettledMarks marks() const;
  /// Rules 2 and 3 for the oldest segment of `journal`, given the marks that are durable.
  bool outcomes_spent(uint32_t journal, const SettledMarks& durable) const;

  /// What has to be carried forward before the oldest segment of `journal` can go: that one, or
  /// another that rule 3 is about. Nothing: it can go without, or only later.
  std::optional<journal::Position> to_carry(uint32_t journal, const SettledMarks& durable) const;
  /// For Carried::floors: what is known of outcomes now.
  std::vector<uint32_t> floors() const;

  uint32_t journal_count() const { return static_cast<uint32_t>(journals_.size()); }
  /// Deliveries, all journals together.
  uint64_t pending() const { return pending_; }

 private:
  struct Segment {
    uint64_t pending = 0;  // Deliveries of its events.
    bool sealed = false;
    NewestRecords records;
    std::vector<uint32_t> outcomes_through;       // By journal: the newest segment they speak of.
    std::optional<std::vector<uint32_t>> floors;  // Of its records of carried events, the lowest.
  };
  struct Journal {
    std::map<uint32_t, Segment> segments;
    uint32_t mark = 0;
  };

  Segment& segment(journal::Position position);
  static uint32_t mark_of(const Journal& journal);
  std::optional<journal::Position> holder_of(uint32_t journal, const SettledMarks& durable) const;
  std::optional<journal::Position> pending_through(journal::Position last) const;

  std::vector<Journal> journals_;
  uint64_t pending_ = 0;
};

}  // namespace ringpost::control
