#pragma once

#include "journal/segment_scan.h"

#include <cstdint>
#include <vector>

namespace ringpost::journal {

/// The type of a record that stands for what was lost: it is optional, so that every reader skips
/// it, and its payload is zeros.
inline constexpr uint8_t lost_record_type = 3;

/// What was made of a damaged segment.
struct RepairedSegment {
  std::vector<std::byte> file;  ///< Sealed: it has a header, blocks without a gap, and a footer.
  SegmentScan found;            ///< What the damaged one was: as for a start.
  uint32_t records_kept = 0;
  bool was_sound = false;  ///< Nothing is wrong with the damaged one: there is nothing to repair.
};

/// Makes a sound segment of all records in a damaged one whose checksums are right. Each stays at
/// its offset, by which outcomes name their event; in the place of lost ones stand records that
/// every reader skips. Takes as much memory as the segment has bytes.
///
/// @param header    of the new segment; its size is that of the request.
/// @param is_whole  as to its first and last page, the damaged one is as it was written.
/// @param listener  hears of the records that are kept. Errors: the input's, and the listener's.
Result<RepairedSegment> repair_segment(SegmentInput& input, const ScanRequest& request,
                                       const SegmentHeader& header, bool is_whole,
                                       RecordSink& listener);

}  // namespace ringpost::journal
