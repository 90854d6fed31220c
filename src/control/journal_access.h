#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "journal/reader.h"
#include "journal/record.h"
#include "journal/writer.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace ringpost::control {

/// What Control needs of the journals' files. The real one stands on journal::SegmentKeeper; tests
/// keep records in memory. All calls may block on the disk.
class JournalAccess {
 public:
  virtual ~JournalAccess() = default;

  /// Errc::not_found if the segment has gone; Errc::corrupt if the record is damaged.
  virtual Result<journal::EventRef> read_event(journal::Position position) = 0;

  using StoredOutcome = journal::StoredOutcome;
  virtual Result<StoredOutcome> read_outcome(journal::Position position) = 0;

  struct Segment {
    uint32_t journal = 0;
    uint32_t number = 0;
    bool open = false;  ///< Handed out and not sealed yet.
  };
  /// Every segment on the disk that has not expired.
  virtual std::vector<Segment> segments() const = 0;

  /// Asks for one more prepared segment of a journal.
  virtual void want(uint32_t journal) = 0;
  struct Ready {
    uint32_t journal = 0;
    journal::PreparedSegment segment;
  };
  /// The next prepared segment, for its journal's shard.
  virtual std::optional<Ready> take() = 0;
  /// The shard is done with the segment's file.
  virtual void on_sealed(uint32_t journal, uint32_t segment) = 0;
  /// Removes (or recycles) the segments of a journal below `first_needed`, durably.
  virtual Result<void> expire(uint32_t journal, uint32_t first_needed) = 0;

  enum class Progress : uint8_t {
    idle,     ///< Nothing to do.
    working,  ///< More to do now, or a segment to take.
    stuck,    ///< `failure` says why; worth another try in a second.
  };
  /// One bounded piece of preparing the wanted segments.
  virtual Progress step(WallTime wall_now) = 0;
  /// Why the last step was stuck.
  virtual std::optional<Error> failure() const = 0;

  /// What all segments take on the disk, bytes.
  virtual uint64_t bytes() const = 0;
};

}  // namespace ringpost::control
