#pragma once

#include "base/bytes.h"
#include "index/part.h"
#include "index/rows.h"

#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

namespace ringpost::index {

/// The part of a segment that is being written, or has no index file: records are added in the
/// order of their positions, and found at once. About 90 bytes for an event with one delivery and
/// one outcome, 50 for each further delivery, and 150 for each webhook and hour.
///
/// No query fails. Walks end when something is added.
class OpenPart final : public Part {
 public:
  /// @param of_earlier_run  as Outcome::of_earlier_run, of all that will be added.
  OpenPart(uint16_t journal, uint32_t segment, const TextHash& hash, bool of_earlier_run)
      : Part(journal, segment), hash_(hash), of_earlier_run_(of_earlier_run) {}

  /// @param position  in this segment, behind all that was added before; likewise for outcomes.
  void add(const journal::EventView& event, Position position);
  /// @param outcome  with a valid record.
  void add(const Outcome& outcome);

  bool has_events() const override { return !events_.empty(); }
  Ulid oldest() const override { return events_[by_uid_.front()].uid; }
  Ulid newest() const override { return events_[by_uid_.back()].uid; }
  uint64_t delivery_count() const override { return matches_.size(); }
  uint32_t open_count() const override;
  uint64_t memory_bytes() const override;
  HourRange hours() const override { return hours_; }

  bool may_have_webhook(uint32_t webhook_number) const override;
  bool may_have_id(uint32_t) const override { return has_events(); }
  bool may_have_outcomes_of_segment(Position event) const override;
  bool may_have_outcomes(const DeliveryKey& delivery) const override;

  Result<std::unique_ptr<Walk>> walk(uint32_t webhook_number, const Ulid& before,
                                     StatusSet statuses) const override;
  Result<std::unique_ptr<EventWalk>> walk_events(const Ulid& before) const override;
  Result<std::optional<MatchedEvent>> event(const Ulid& uid) const override;
  Result<std::vector<MatchedEvent>> events_at(uint64_t time_ms) const override;
  Result<void> events_of_id(uint32_t id_hash, std::vector<EventFacts>& found) const override;
  Result<void> outcomes_of(const EventFacts& event, uint32_t webhook_number,
                           std::vector<Outcome>& found) const override;
  Result<void> totals(std::optional<uint32_t> webhook_number, const HourRange& hours,
                      const VisitTotals& visit) const override;
  Result<void> open_deliveries(std::vector<LocalDelivery>& found) const override;
  Result<void> outcomes_of_segment(Position event, std::vector<Outcome>& found) const override;

  // --- for the writer of the file, which sorts by uid and by webhook
  // ------------------------------

  uint64_t event_count() const override { return events_.size(); }
  /// @param rank  of the event by its uid. `first_match` is not set.
  EventRow event_row(size_t rank) const;
  uint32_t id_hash(size_t rank) const { return events_[by_uid_[rank]].id_hash; }
  std::vector<uint32_t> webhooks_of(size_t rank) const;
  /// Webhooks and their deliveries, as places in the memory of this part, by rising uid.
  const std::map<uint32_t, std::vector<uint32_t>>& deliveries() const { return by_webhook_; }
  LocalDelivery delivery(uint32_t place) const;
  /// All outcomes of this delivery, oldest first.
  std::vector<Outcome> outcomes(uint32_t place) const;
  /// Of the event of a delivery, among the events by uid. Valid until something is added.
  std::vector<uint32_t> ranks_by_place() const;
  /// Outcomes whose events, or matches of events, are not in this segment.
  std::vector<Outcome> foreign_outcomes() const;
  /// By webhook and hour.
  std::vector<TotalsRow> totals_rows() const;

 private:
  static constexpr uint32_t none = UINT32_MAX;

  struct Event {
    Ulid uid;
    uint32_t offset = 0;
    uint32_t type_hash = 0;
    uint32_t source_hash = 0;
    uint32_t id_hash = 0;
    uint32_t first_match = 0;  // Those of the next event follow.
    Position origin{};
  };
  struct Match {
    uint32_t event = 0;
    uint32_t webhook_number = 0;
    uint32_t newest_outcome = none;
  };
  struct Stored {
    uint64_t result = 0;  // pack_result.
    WallTime started_at{};
    uint32_t record_offset = 0;
    uint32_t due_s = 0;
    uint32_t earlier = none;  // Of the same delivery.
    uint8_t latency = 0;      // LatencyHistogram::range_of.
    uint8_t hours_run = 0;    // Hours that began between start and end.
  };
  struct KeyHash {
    size_t operator()(const DeliveryKey& key) const { return static_cast<size_t>(key.hash()); }
  };

  struct TotalsHash {
    size_t operator()(const TotalsKey& key) const {
      return static_cast<size_t>(mix(uint64_t{key.webhook_number} << 32 | key.hour));
    }
  };

  static DeliveryStatus status_of(const Stored& stored);
  static uint32_t end_hour(const Stored& stored);
  Totals& totals_of(uint32_t webhook_number, uint32_t hour);
  void count(uint32_t stored, const Outcome& outcome);
  const Stored* end_before(uint32_t stored) const;
  void insert_by_uid(uint32_t event);
  void insert_delivery(uint32_t match);
  bool is_older(uint32_t match, uint32_t other) const;
  Position position_of(uint32_t event) const;
  uint32_t matches_end(uint32_t event) const;
  uint32_t match_of(const DeliveryKey& delivery) const;
  const uint32_t* newest_outcome(const DeliveryKey& delivery) const;
  EventFacts facts(uint32_t event) const;
  MatchedEvent matched(uint32_t event) const;
  size_t rank_of_first(const Ulid& uid) const;
  Outcome unpack(const Stored& stored, const DeliveryKey& delivery) const;
  void append_chain(uint32_t newest, const DeliveryKey& delivery,
                    std::vector<Outcome>& found) const;

  class MemoryWalk;
  class MemoryEventWalk;

  const TextHash hash_;
  const bool of_earlier_run_;
  std::deque<Event> events_;  // By position.
  std::vector<uint32_t> by_uid_;
  std::deque<Match> matches_;  // By event and webhook.
  std::map<uint32_t, std::vector<uint32_t>> by_webhook_;
  std::deque<Stored> outcomes_;
  std::unordered_map<DeliveryKey, uint32_t, KeyHash> foreign_;  // The newest outcome of each.
  std::map<uint64_t, uint32_t> foreign_segments_;  // Position of a segment's begin: outcomes.
  std::unordered_map<TotalsKey, Totals, TotalsHash> totals_;
  HourRange hours_;  // Of totals_.
};

}  // namespace ringpost::index
