#pragma once

#include "base/result.h"
#include "io/disk.h"
#include "journal/block_buffer.h"
#include "journal/format.h"
#include "journal/position.h"
#include "journal/record.h"
#include "journal/writer.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ringpost::journal {

/// An outcome with the bytes that it points into.
struct StoredOutcome {
  std::vector<std::byte> record;
  std::vector<std::byte> texts;  ///< If the record has them as changes to another's.
  OutcomeView view;
};

/// An outcome in a segment, without the texts that it may have as changes to another's. Lent.
/// @returns whether to go on.
using VisitOutcome = std::function<bool(const OutcomeView& outcome, Position position)>;

/// An event in a segment. Lent. @returns whether to go on.
using VisitEvent = std::function<bool(const EventView& event, Position position)>;

/// How far a segment was gone through.
struct Passage {
  /// All records that begin here or before were visited. Goes on from here.
  Position reached;
  bool at_end = false;  ///< There are no others.
};

/// Opens a segment's file for Ring::read, if it is still that segment's. Blocking.
/// Errc::not_found if the segment has expired or was reused; otherwise the file system's error.
Result<io::File> open_segment(io::Disk& disk, const std::string& journal_directory,
                              uint16_t journal, uint32_t segment);

/// Reads single records at known positions, while the relay runs. Blocking: for the control thread
/// and for tools, never for a shard. Keeps the files of the last few segments open.
///
/// A record's own checksum covers its header, payload, place and generation, so one read finds
/// what is needed; the block around it need not be found.
///
/// Errors: Errc::not_found if the segment has expired or was reused; Errc::corrupt if there is no
/// such record at the position, or it is damaged; otherwise the file system's.
class Reader {
 public:
  static constexpr size_t files_max = 8;

  enum class Access : uint8_t {
    shared,     ///< Beside a writer: O_DIRECT where there is one, as the writer does.
    read_only,  ///< For tools: never opens a file for writing.
  };

  Reader(io::Disk& disk, std::string journal_directory, uint64_t directory_id,
         Access access = Access::shared);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<EventRef> read_event(Position position);
  Result<StoredOutcome> read_outcome(Position position);
  /// When the segment was prepared: of two of the same number, which one it is.
  Result<WallTime> created_at(uint16_t journal, uint32_t segment);
  /// Visits the outcomes of a segment that begin behind `from`, in their order. Damaged ones are
  /// passed over, and those that come behind them in the same block perhaps as well.
  /// @param from       the segment's beginning (offset 0), or Passage::reached.
  /// @param through    those that begin behind it are not visited.
  /// @param bytes_max  so much is read, a little more if nothing would be reached otherwise.
  /// @param visit      uses no reader.
  Result<Passage> pass_outcomes(Position from, Position through, uint32_t bytes_max,
                                const VisitOutcome& visit);
  /// The same with the events of a segment.
  Result<Passage> pass_events(Position from, Position through, uint32_t bytes_max,
                              const VisitEvent& visit);

 private:
  struct OpenFile {
    uint16_t journal = 0;
    uint32_t segment = 0;
    io::File file;
  };

  class Walk;
  /// The payload of a whole record. @returns whether to go on.
  using VisitPayload = std::function<bool(Bytes payload, Position position)>;

  Result<Passage> pass(RecordType type, Position from, Position through, uint32_t bytes_max,
                       const VisitPayload& visit);
  Result<StoredOutcome> read_as_recorded(Position position);
  /// The payload of the record at `position`; valid until the next read.
  Result<Bytes> read(RecordType type, Position position);
  Result<Bytes> read_from(io::File file, RecordType type, Position position);
  Result<Bytes> read_pages(io::File file, uint32_t offset, uint64_t bytes);
  Result<SegmentHeader> header_of(Position position);
  Result<io::File> file_of(Position position);
  Result<io::File> open(Position position);
  void forget(Position position);

  io::Disk& disk_;
  const std::string journal_directory_;
  const uint64_t directory_id_;
  const Access access_;
  std::vector<OpenFile> files_;  // The one used last is at the end.
  BlockBuffer buffer_;
};

}  // namespace ringpost::journal
