#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "index/open_part.h"
#include "journal/reader.h"
#include "journal/record.h"
#include "journal/writer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace ringpost::control {

/// What Control needs of the journals' files. The real one uses journal::SegmentKeeper; tests
/// keep records in memory. Reading may block on the disk.
class JournalAccess {
 public:
  virtual ~JournalAccess() = default;

  /// Errc::not_found if the segment has gone; Errc::corrupt if the record is damaged.
  virtual Result<journal::EventRef> read_event(journal::Position position) = 0;

  using StoredOutcome = journal::StoredOutcome;
  virtual Result<StoredOutcome> read_outcome(journal::Position position) = 0;

  /// As journal::Reader::pass_outcomes.
  virtual Result<journal::Passage> pass_outcomes(journal::Position from, journal::Position through,
                                                 uint32_t bytes_max,
                                                 const journal::VisitOutcome& visit) = 0;
  /// As journal::Reader::pass_events.
  virtual Result<journal::Passage> pass_events(journal::Position from, journal::Position through,
                                               uint32_t bytes_max,
                                               const journal::VisitEvent& visit) = 0;

  /// As journal::Reader::created_at.
  virtual Result<WallTime> created_at(uint32_t journal, uint32_t segment) = 0;

  struct Segment {
    uint32_t journal = 0;
    uint32_t number = 0;
    bool open = false;  ///< Handed out and not sealed yet.
  };
  /// Every segment on the disk that has not expired.
  virtual std::vector<Segment> segments() const = 0;
  /// The first segment of a journal that has not expired; 0: the journal is not in use.
  virtual uint32_t oldest(uint32_t journal) const = 0;

  /// Asks for one more prepared segment of a journal; it comes when it comes.
  virtual void want(uint32_t journal) = 0;
  struct Ready {
    uint32_t journal = 0;
    journal::PreparedSegment segment;
  };
  /// The next prepared segment, for its journal's shard.
  virtual std::optional<Ready> take() = 0;
  /// The shard is done with the segment's file.
  virtual void on_sealed(uint32_t journal, uint32_t segment) = 0;
  /// Has the index file of a sealed segment written, sooner or later: then the index opens it.
  virtual void write_index(std::shared_ptr<const index::OpenPart> part) = 0;
  /// Segments that are left out of the history until their indexes have been made again.
  virtual uint64_t unindexed() const = 0;
  /// Notes in the control store that the segments of a journal below `first_needed` will go.
  virtual Result<void> note_expiry(uint32_t journal, uint32_t first_needed) = 0;
  /// Has them removed or recycled. Only once the note is durable.
  virtual void expire(uint32_t journal, uint32_t first_needed) = 0;

  /// Why no segment can be prepared for now; nothing: none is wanted, or they come.
  virtual std::optional<Error> failure() const = 0;

  /// What all segments take on the disk, bytes.
  virtual uint64_t bytes() const = 0;
};

}  // namespace ringpost::control
