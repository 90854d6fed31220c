#pragma once

#include "base/result.h"
#include "journal/writer.h"

#include <cstdint>
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

/// The segments of a journal below `first_needed` go. Tried until it is done.
struct ExpireSegments {
  uint32_t journal = 0;
  uint32_t first_needed = 0;
};

using JournalOrder = std::variant<std::monostate, PrepareSegment, CloseSegment, ExpireSegments>;

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

using JournalNews = std::variant<std::monostate, SegmentPrepared, PreparingFailed>;

}  // namespace ringpost::control
