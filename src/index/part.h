#pragma once

#include "base/result.h"
#include "index/facts.h"
#include "index/format.h"
#include "index/totals.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace ringpost::index {

/// A delivery of an event in a segment, as that segment alone tells of it.
struct LocalDelivery {
  enum class Told : uint8_t {
    nothing,
    one,      ///< `outcome` is all that this segment knows.
    several,  ///< Ask Part::outcomes_of.
  };
  EventFacts event;
  uint32_t webhook_number = 0;
  Told told = Told::nothing;
  Outcome outcome;
};

struct MatchedEvent {
  EventFacts facts;
  std::vector<uint32_t> webhook_numbers;  ///< Rising.
};

/// Segments of a journal, as a range. The events that outcomes speak of lie in few of them.
struct SegmentRange {
  uint32_t journal = 0;
  uint32_t first = 0;
  uint32_t last = 0;

  bool has(Position position) const {
    return position.journal() == journal && position.segment() >= first &&
           position.segment() <= last;
  }
};

/// Whether the error of a part means that its index file is of no use any more. Others pass: too
/// many open files, for example.
constexpr bool is_of_no_use(const Error& error) {
  return error.code == Errc::corrupt || error.code == Errc::not_found ||
         error.code == Errc::unsupported || error.code == Errc::io_failed;
}

/// What the index knows of one segment: in memory while it is written (OpenPart), later in a file
/// (FilePart). One thread at a time.
///
/// Errors: see `is_of_no_use`.
class Part {
 public:
  Part(uint16_t journal, uint32_t segment) : journal_(journal), segment_(segment) {}
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  virtual ~Part() = default;

  uint16_t journal() const { return journal_; }
  uint32_t segment() const { return segment_; }
  bool holds(Position position) const {
    return position.journal() == journal_ && position.segment() == segment_;
  }

  virtual bool has_events() const = 0;
  virtual uint64_t event_count() const = 0;
  virtual Ulid oldest() const = 0;  ///< The smallest uid of an event; only if there is one.
  virtual Ulid newest() const = 0;
  virtual uint64_t delivery_count() const = 0;  ///< Of its events.
  /// Deliveries whose end this segment does not tell; others may.
  virtual uint32_t open_count() const = 0;
  virtual uint64_t memory_bytes() const = 0;
  /// That it has totals of; outcomes of events in other segments count, too.
  virtual HourRange hours() const = 0;

  // From memory, and rather yes than no.
  virtual bool may_have_webhook(uint32_t webhook_number) const = 0;
  virtual bool may_have_id(uint32_t id_hash) const = 0;
  /// Outcomes of events in another segment, which holds `event`.
  virtual bool may_have_outcomes_of_segment(Position event) const = 0;
  virtual bool may_have_outcomes(const DeliveryKey& delivery) const = 0;

  /// Goes through a webhook's deliveries of events in this segment, the newest event's first.
  class Walk {
   public:
    using Item = LocalDelivery;

    virtual ~Walk() = default;
    /// The next one; nullptr behind the last. Valid until the next call.
    virtual Result<const LocalDelivery*> next() = 0;
  };
  /// @param before  only events with a smaller uid. @param statuses  deliveries that have none of
  ///                them, and cannot have got one elsewhere, may be left out.
  virtual Result<std::unique_ptr<Walk>> walk(uint32_t webhook_number, const Ulid& before,
                                             StatusSet statuses) const = 0;

  /// Goes through the events of this segment, the newest first.
  class EventWalk {
   public:
    using Item = MatchedEvent;

    virtual ~EventWalk() = default;
    /// The next one; nullptr behind the last. Valid until the next call.
    virtual Result<const MatchedEvent*> next() = 0;
    /// The delivery of the event that `next` gave to one of its webhooks; nullptr: it has none of
    /// the statuses, and cannot have got one elsewhere. Valid until the next call of any kind.
    virtual Result<const LocalDelivery*> delivery(uint32_t webhook_number, StatusSet statuses) = 0;
  };
  /// @param before  only events with a smaller uid.
  virtual Result<std::unique_ptr<EventWalk>> walk_events(const Ulid& before) const = 0;

  virtual Result<std::optional<MatchedEvent>> event(const Ulid& uid) const = 0;
  /// Those whose uid has this time, in milliseconds since 1970.
  virtual Result<std::vector<MatchedEvent>> events_at(uint64_t time_ms) const = 0;
  /// Appends those whose id has this hash (TextHash).
  virtual Result<void> events_of_id(uint32_t id_hash, std::vector<EventFacts>& found) const = 0;
  /// Appends what this segment tells of one delivery, whose event may be in any.
  virtual Result<void> outcomes_of(const EventFacts& event, uint32_t webhook_number,
                                   std::vector<Outcome>& found) const = 0;

  /// Visits what it has of these hours, of one webhook or (nothing) of each.
  using VisitTotals = std::function<void(const TotalsKey&, const Totals&)>;
  virtual Result<void> totals(std::optional<uint32_t> webhook_number, const HourRange& hours,
                              const VisitTotals& visit) const = 0;

  // For a start.

  /// Appends the deliveries that `open_count` counts, in no order.
  virtual Result<void> open_deliveries(std::vector<LocalDelivery>& found) const = 0;
  /// Appends all outcomes of events in the segment of `event` that LocalDelivery does not tell.
  virtual Result<void> outcomes_of_segment(Position event, std::vector<Outcome>& found) const = 0;

 private:
  const uint16_t journal_;
  const uint32_t segment_;
};

}  // namespace ringpost::index
