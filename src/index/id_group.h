#pragma once

#include "base/result.h"
#include "index/file_part.h"
#include "index/new_file.h"

#include <cstdint>
#include <string>
#include <vector>

// An id that a producer chose tells no time, so a question for one concerns all segments. The ids
// of 64 neighbouring segments of a journal have a file together, in which one page tells for an id
// which of the segments may have it (src/index/README.md, "The file of ids"). It is made from their
// index files when no more of them will come, and nothing but the speed of an answer depends on it.

namespace ringpost::index {

/// Segments of a group: bit n is segment `first_of_group(last) + n`.
using SegmentMask = uint64_t;
inline constexpr uint32_t group_segments = 64;

constexpr uint32_t first_of_group(uint32_t segment) {
  return segment & ~(group_segments - 1);
}
/// What a group is named by.
constexpr uint32_t last_of_group(uint32_t segment) {
  return segment | (group_segments - 1);
}
constexpr SegmentMask mask_of(uint32_t segment) {
  return SegmentMask{1} << (segment % group_segments);
}

/// Which group, and which of its segments.
struct IdGroupKey {
  std::string journal_directory;
  uint64_t directory_id = 0;
  uint16_t journal = 0;
  uint32_t last = 0;

  std::string path() const;
};

/// Makes the file of a group's ids, in steps of 20 to 100 ms. Blocking.
class IdGroupWriter {
 public:
  /// @param segments  of the group, those to be covered. @param disk  outlives it.
  IdGroupWriter(io::Disk& disk, const IdGroupKey& key, SegmentMask segments);

  const IdGroupKey& key() const { return key_; }
  /// The next step. A segment whose index file is of no use is left out.
  /// @returns whether the file is there. After an error, of the disk: it will not be.
  Result<bool> step();

 private:
  static constexpr uint32_t slice_pages = 256;

  Result<void> begin();
  Result<void> write_slice();
  Result<void> write_header();
  template <typename Visit>
  Result<void> for_each_segment(Visit visit);

  io::Disk& disk_;
  const IdGroupKey key_;
  SegmentMask segments_;
  const PageSeal seal_;
  NewFile file_;
  uint32_t pages_ = 0;  ///< Of ids; 0: it has not begun.
  uint32_t next_page_ = 0;
};

/// A file of ids, of which only the place is in memory.
class IdGroup {
 public:
  /// Reads the header. Errors: as Part; Errc::not_found if there is no such file.
  static Result<IdGroup> open(io::Disk& disk, const IdGroupKey& key);

  SegmentMask segments() const { return segments_; }
  /// Which of `segments` may have an event whose id has this hash (TextHash): in 1 of 1,000 cases
  /// one that has none. Reads a page. Errors: as Part.
  Result<SegmentMask> may_have(OpenFiles& files, uint32_t id_hash) const;

 private:
  IdGroup(std::string path, const PageSeal& seal) : path_(std::move(path)), seal_(seal) {}

  std::string path_;
  PageSeal seal_;
  SegmentMask segments_ = 0;
  uint32_t pages_ = 0;
};

}  // namespace ringpost::index
