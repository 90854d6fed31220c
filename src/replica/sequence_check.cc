#include "replica/sequence_check.h"

#include <algorithm>

namespace ringpost::replica {

SequenceCheck::Verdict SequenceCheck::check(uint64_t offset, const BlockHeader& header) {
  auto found = runs_.find(header.writer);
  if (found == runs_.end()) {
    if (runs_.size() >= writers_max) forget_oldest();
    found = runs_.emplace(header.writer, Run{.anchored = knows_all_}).first;
  }
  Run& run = found->second;
  run.used = ++clock_;
  if (header.sequence <= run.last) return check_known(run, header);
  const Verdict verdict = check_next(run, header);
  return verdict == Verdict::hole && offset < known_end_ ? Verdict::fresh : verdict;
}

void SequenceCheck::begin_again(bool from_the_beginning, uint64_t known_end) {
  knows_all_ = from_the_beginning;
  known_end_ = known_end;
  runs_.clear();
}

void SequenceCheck::forget_oldest() {
  runs_.erase(std::min_element(runs_.begin(), runs_.end(), [](const auto& one, const auto& other) {
    return one.second.used < other.second.used;
  }));
  knows_all_ = false;
}

SequenceCheck::Verdict SequenceCheck::check_known(Run& run, const BlockHeader& header) {
  if (run.last - header.sequence >= window) return Verdict::fresh;
  const size_t at = header.sequence % window;
  if (run.seen[at]) return run.crcs[at] == header.crc ? Verdict::repeated : Verdict::altered;
  run.seen[at] = true;
  run.crcs[at] = header.crc;
  return Verdict::fresh;
}

SequenceCheck::Verdict SequenceCheck::check_next(Run& run, const BlockHeader& header) {
  const bool follows = header.sequence == run.last + 1;
  const uint64_t skipped = std::min(header.sequence - run.last, window);
  for (uint64_t back = 0; back < skipped; ++back)
    run.seen[(header.sequence - back) % window] = false;
  run.last = header.sequence;
  run.seen[header.sequence % window] = true;
  run.crcs[header.sequence % window] = header.crc;
  const bool is_hole = !follows && run.anchored;
  run.anchored = run.anchored || follows;
  return is_hole ? Verdict::hole : Verdict::fresh;
}

}  // namespace ringpost::replica
