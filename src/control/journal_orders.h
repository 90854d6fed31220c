#pragma once

#include "base/result.h"
#include "index/id_group.h"
#include "index/open_part.h"
#include "journal/writer.h"

#include <cstdint>
#include <memory>
#include <variant>

namespace ringpost::control {

// Between the control thread and the journal thread, which does all slow work on segment files.

// --- from the control thread ---------------------------------------------------------------------

/// One more prepared segment for a journal: answered by SegmentPrepared, however long it takes.
struct PrepareSegment {
  uint32_t journal = 0;
};

/// The shard is done with a segment's file.
struct CloseSegment {
  uint32_t journal = 0;
  uint32_t number = 0;
};

/// The index file of a sealed segment is to be written: answered by SegmentIndexed, as late as the
/// disk has room for it, or by IndexFailed.
struct IndexSegment {
  uint32_t journal = 0;
  uint32_t number = 0;
  /// What is in it; null: the segment is read. Nobody changes it any more.
  std::shared_ptr<const index::OpenPart> part;
};

/// The file of the ids of a group of segments (index/id_group.h) is to be made, of those that have
/// an index file: answered by IdsGrouped.
struct GroupIds {
  uint32_t journal = 0;
  uint32_t last = 0;
  index::SegmentMask segments = 0;
};

/// The segments of a journal below `first_needed` go, and their indexes. Tried until it is done.
struct ExpireSegments {
  uint32_t journal = 0;
  uint32_t first_needed = 0;
};

using JournalOrder = std::variant<std::monostate, PrepareSegment, CloseSegment, IndexSegment,
                                  GroupIds, ExpireSegments>;

class JournalOrders {
 public:
  virtual ~JournalOrders() = default;
  virtual void send(JournalOrder&& order) = 0;
};

// --- to the control thread -----------------------------------------------------------------------

struct SegmentPrepared {
  uint32_t journal = 0;
  journal::PreparedSegment segment;
};

/// No segment can be prepared for now; it is tried again each second.
struct PreparingFailed {
  Error error{};
};

struct SegmentIndexed {
  uint32_t journal = 0;
  uint32_t number = 0;
};

/// The disk takes no index for now, and too many wait for that: this one is made again from its
/// segment later, so nobody is to keep it in memory.
struct IndexPostponed {
  uint32_t journal = 0;
  uint32_t number = 0;
};

/// The segment cannot be read: it has no index, and stays out of the history.
struct IndexFailed {
  uint32_t journal = 0;
  uint32_t number = 0;
};

/// Or not, if the disk does not take the file: then it may be asked for again later.
struct IdsGrouped {
  uint32_t journal = 0;
  uint32_t last = 0;
  bool made = false;
};

using JournalNews = std::variant<std::monostate, SegmentPrepared, PreparingFailed, SegmentIndexed,
                                 IndexPostponed, IndexFailed, IdsGrouped>;

}  // namespace ringpost::control
