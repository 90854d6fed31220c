#pragma once

#include "base/bytes.h"
#include "base/counters.h"
#include "base/result.h"
#include "io/ring.h"
#include "journal/position.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace ringpost::journal {

enum class RecordType : uint8_t { event = 1, outcome = 2 };

/// What a record may take of a queue and of segments that run full.
enum class Claim : uint8_t {
  ordinary,  ///< Leaves the room that is kept for ends; an event also leaves some for outcomes.
  end,       ///< How a delivery ended, and nothing beside it: takes whatever there is.
};

/// Whether somebody waits for a record to be durable.
enum class Urgency : uint8_t {
  now,       ///< It is written with the next commit.
  may_wait,  ///< It is no reason for a commit.
};

/// A file that is ready to be written: created, zero-filled and durable in its directory. Prepared
/// by SegmentKeeper on the control thread and handed to the shard.
struct PreparedSegment {
  io::File file;
  uint32_t number = 0;
  uint32_t size = 0;  ///< Bytes; a multiple of 4,096.
};

/// What the writer tells its shard. Called from the ring's turn.
class WriterEvents {
 public:
  virtual ~WriterEvents() = default;
  /// All records appended before `through` (and the one that begins just before it) are on stable
  /// storage. Rises only.
  virtual void on_durable(Position through) = 0;
  /// The writer moved on to its last prepared segment: another one is wanted.
  virtual void on_segment_wanted() = 0;
  /// `number` is full and durable: it can be read, and recycled when nothing in it lives.
  virtual void on_segment_sealed(uint32_t number) = 0;
  /// A durable write failed: nothing more is written (reliability rule 2). Records that were not
  /// durable yet will never be reported so.
  virtual void on_storage_failed(const Error& error) = 0;
};

/// Appends records to one shard's journal, with natural group commit: when a write slot is free and
/// records wait, they are written as one block; while all slots are busy they gather.
///
/// Life: constructed with at least one prepared segment; destroyed when `idle()`.
class Writer {
 public:
  struct Options {
    uint16_t journal = 0;                   ///< The shard's number in positions.
    uint64_t directory_id = 0;              ///< Of the data directory; part of every checksum.
    uint32_t block_bytes_max = 256 * 1024;  ///< A bigger record gets its own block.
    uint32_t slots = 2;                     ///< Writes in flight.
    /// Appended and not written; beyond it an event is refused. Outcomes may take as much again:
    /// attempts are not begun meanwhile, so they come from what is in flight.
    uint32_t queue_bytes_max = 8 * 1024 * 1024;
  };

  Writer(io::Ring& ring, Counters& counters, WriterEvents& events, const Options& options);
  ~Writer();

  /// Gives the writer the next segment; its number is one more than the last one's.
  void provide(const PreparedSegment& segment);

  /// Queues a record; it is durable when `on_durable` passes the returned position.
  /// @param payload  copied.
  /// @returns its position; Errc::overloaded when the queue is full (try again after on_durable);
  ///          or until the next segment is there; Errc::out_of_space when that is delayed and the
  ///          rest would not leave what the claim has to leave; Errc::io_failed after a storage
  ///          failure.
  Result<Position> append(RecordType type, Bytes payload, Claim claim = Claim::ordinary,
                          Urgency urgency = Urgency::now);

  /// Whether `append` would take `count` events of `bytes` together now: a batch is all or nothing.
  /// @returns Errc::too_large if it fits into no segment; else as `append`.
  Result<void> admit(uint32_t count, uint64_t bytes) const;

  /// Whether the next segment cannot be prepared for now.
  void segments_delayed(bool delayed);
  /// Room to be left for records with Claim::end. More segments are wanted where one does not do.
  void keep_for_ends(uint64_t bytes);
  /// What outcomes may take soon: as with ends, more segments are wanted, but nothing is refused.
  void expect_outcomes(uint64_t bytes);
  /// Bytes left in the segments that are ready.
  uint64_t room_bytes() const;
  /// What outcomes may take of it.
  uint64_t outcome_room_bytes() const;
  /// The number of the segment that `append` would put a record of so many bytes into; 0: none.
  uint32_t segment_for(uint64_t payload_bytes) const;
  /// Whether nothing waits but records with Claim::end, and these for less than a page: their
  /// commit may be put off to spare room.
  bool only_ends_wait() const;
  /// Whether nothing waits but less than a block of records that may: their commit may be put off,
  /// for others to share their write.
  bool nothing_urgent_waits() const;
  /// Whether the queue is as full as an event may find it.
  bool queue_full() const;

  /// Ends the segment in use, if anything is in it: its footer proves that nothing is missing at
  /// its end. For an orderly stop: nothing can be appended afterwards.
  void seal();

  /// Call once per turn, after everything was appended: starts a write if a slot is free.
  void commit();

  /// Everything below is durable.
  Position durable_through() const;
  /// The same, as it is remembered beside the journal.
  Written written() const;
  /// After a storage failure: where it was; else 0.
  uint32_t failed_segment() const;
  /// Nothing queued, nothing in flight.
  bool idle() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ringpost::journal
