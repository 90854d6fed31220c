#pragma once

#include "base/clock.h"
#include "base/ulid.h"
#include "journal/recovery.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ringpost::journal {

/// What became of a delivery: one webhook that one event matched when it was accepted.
enum class Fate : uint8_t {
  delivered,
  dead,       ///< Given up: a dead letter.
  cancelled,  ///< Its webhook was deleted or disabled.
  pending,    ///< A relay still has to deliver it, and it is not late.
  overdue,    ///< The same, and its next attempt should have been made a while ago.
  expired,    ///< It has ended; the segment that told how is beyond the retention.
  missing,    ///< The relay takes it for ended, and no record says how: it is lost.
};
inline constexpr size_t fate_count = 7;
std::string_view name(Fate fate);

using FateCounts = std::array<uint64_t, fate_count>;  ///< By Fate.

/// A delivery that has not ended in a way that can be told.
struct OpenDelivery {
  Ulid event_uid;
  WallTime accepted_at{};
  uint32_t webhook_number = 0;
  uint32_t attempts = 0;       ///< That were recorded.
  WallTime next_attempt_at{};  ///< The epoch: at once, or unknown.
  Fate fate{};
};

/// Reconciles what was accepted with what came of it, from the journals alone: each delivery that
/// an event's record asks for must have an end, or be pending. What has neither is missing.
///
/// Hears the records of all journals as `recover` visits them. Memory: about 100 bytes for each
/// delivery that is open at that point of the reading, however many have ended, and 40 for each
/// event that was carried forward.
class GapAudit {
 public:
  struct Options {
    std::optional<WallTime> since;  ///< Only events accepted then or later.
    std::optional<WallTime> until;  ///< Only events accepted before.
    WallTime now{};
    Duration overdue_after = std::chrono::minutes{5};
    /// By journal: the relay takes all deliveries of events in this segment and before it for
    /// ended.
    std::vector<uint32_t> settled_through;
  };

  explicit GapAudit(Options options) : options_(std::move(options)) {}

  void on_event(Position position, const EventView& event);
  void on_outcome(Position position, const OutcomeView& outcome);
  /// Call once, behind the last record. `on_open` is called for each delivery that has not ended,
  /// in the order of their events.
  void finish(const RecoveryReport& report,
              const std::function<void(const OpenDelivery&)>& on_open);

  uint64_t events() const { return events_; }
  uint64_t events_without_webhook() const { return events_without_webhook_; }
  const FateCounts& total() const { return total_; }
  const std::map<uint32_t, FateCounts>& by_webhook() const { return by_webhook_; }

 private:
  struct Key {
    Position event;
    uint32_t webhook_number = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  /// What the records tell of a delivery so far.
  struct Course {
    std::optional<Fate> end;
    uint32_t attempts = 0;
    WallTime last_attempt_at{};
    WallTime next_attempt_at{};
    // Of its event; once that was told.
    Position record;
    Ulid event_uid;
    WallTime accepted_at{};
  };

  bool in_range(WallTime accepted_at) const;
  bool was_told(Position event) const;
  void note_told(Position record);
  void note_carried(Position record, const EventView& event);
  void note_time(Position position, WallTime time);
  void count(uint32_t webhook_number, Fate fate);
  Fate fate_of(const Course& course) const;
  bool may_have_expired(const Course& course) const;

  const Options options_;
  uint64_t events_ = 0;
  uint64_t events_without_webhook_ = 0;
  FateCounts total_{};
  std::map<uint32_t, FateCounts> by_webhook_;
  /// Of deliveries that are open, and of those whose event comes later: another journal has it.
  std::unordered_map<Key, Course, Hash> courses_;
  struct Told {
    Position first;
    Position last;
  };
  std::vector<Told> told_;                   ///< By journal: its events.
  std::unordered_set<uint64_t> carried_;     ///< Events that were carried forward.
  std::map<uint32_t, WallTime> first_time_;  ///< By journal: of its first record.
  std::vector<uint32_t> shortened_;          ///< Journals whose first segments have expired.
};

}  // namespace ringpost::journal
