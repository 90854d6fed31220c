#pragma once

#include "base/result.h"
#include "index/filter.h"
#include "index/open_part.h"
#include "io/disk.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ringpost::index {

/// What is kept in memory of an index file: enough to know which files a question concerns.
struct Filters {
  static constexpr size_t ranges_max = 16;

  Filter webhooks;  ///< Numbers of those that have totals: events matched them, or they have
                    ///< outcomes.
  Filter ids;       ///< TextHash of the events' ids.
  Filter outcomes;  ///< Deliveries of events in other segments that have outcomes in this one.
  std::vector<SegmentRange> event_segments;  ///< Where those events are; at most `ranges_max`.

  void write(std::vector<std::byte>& bytes) const;
  /// Errc::corrupt if the bytes are no filters.
  static Result<Filters> read(Bytes bytes);
  uint64_t memory_bytes() const;
};

/// The bytes of the index file of a segment, from what was added to `part`. About 0.5 us for each
/// delivery.
std::vector<std::byte> make_image(const OpenPart& part, uint64_t directory_id);

/// Writes the image of a segment's index so that it is there as a whole or not at all, also after a
/// crash: under another name, synced, renamed, and the directory synced. One that is there already
/// is replaced. After an error there is the old one, or none. Blocking.
Result<void> write_image(io::Disk& disk, const std::string& journal_directory, const Part& part,
                         Bytes image);

/// The same with the image of `part`: on any thread, while nothing is added to it.
Result<void> write_index(io::Disk& disk, const std::string& journal_directory,
                         uint64_t directory_id, const OpenPart& part);

}  // namespace ringpost::index
