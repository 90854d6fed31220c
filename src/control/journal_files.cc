#include "control/journal_files.h"

#include "base/log.h"

#include <string>

namespace ringpost::control {

std::vector<JournalAccess::Segment> JournalFiles::segments() const {
  std::vector<Segment> all;
  for (const uint16_t journal : journals_) {
    for (const auto& segment : keeper_.segments(journal)) {
      all.push_back({journal, segment.number, segment.open});
    }
  }
  return all;
}

std::optional<JournalAccess::Ready> JournalFiles::take() {
  const auto ready = keeper_.take();
  if (!ready) return std::nullopt;
  return Ready{ready->journal, ready->segment};
}

Result<void> JournalFiles::expire(uint32_t journal, uint32_t first_needed) {
  if (auto noted = begun_.expire(journal, first_needed); !noted) return noted;
  return keeper_.expire(static_cast<uint16_t>(journal), first_needed);
}

JournalAccess::Progress JournalFiles::step(WallTime wall_now) {
  using Keeper = journal::SegmentKeeper;
  const Keeper::Progress progress = keeper_.step(wall_now);
  switch (progress) {
    case Keeper::Progress::idle: return Progress::idle;
    case Keeper::Progress::working: return Progress::working;
    case Keeper::Progress::ready: failure_.reset(); return Progress::working;
    case Keeper::Progress::no_space:
    case Keeper::Progress::failed: break;
  }
  const Error error = progress == Keeper::Progress::no_space ? Error{Errc::out_of_space, Side::disk}
                                                             : keeper_.error();
  if (failure_ != error) {  // Once, and not with every try.
    log_error("no journal segment can be prepared: " + describe(error) + " (" + keeper_.path() +
              ")");
  }
  failure_ = error;
  return Progress::stuck;
}

uint64_t JournalFiles::bytes() const {
  uint64_t count = 0;
  for (const uint16_t journal : journals_) count += keeper_.segments(journal).size();
  return count * keeper_.segment_bytes();
}

}  // namespace ringpost::control
