#include "control/journal_files.h"

#include "base/log.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ringpost::control {
namespace {

/// Indexes that a start makes before the relay is ready: about 0.2 s each. After a crash those of
/// the segments that were being written are missing, and of the ones before, if they were just
/// full.
constexpr size_t made_at_start_max = 8;

}  // namespace

void JournalFiles::adopt(const journal::SegmentKeeper& keeper,
                         const std::vector<uint16_t>& journals) {
  segment_bytes_ = keeper.segment_bytes();
  for (const uint16_t journal : journals) {
    for (const auto& segment : keeper.segments(journal)) {
      journals_[journal][segment.number] = segment.open;
    }
  }
}

void JournalFiles::on_news(JournalNews&& news) {
  std::visit([this](auto&& content) { on(std::forward<decltype(content)>(content)); },
             std::move(news));
}

void JournalFiles::on(SegmentPrepared&& news) {
  failure_.reset();
  journals_[news.journal][news.segment.number] = true;
  ready_.push_back({news.journal, news.segment});
}

void JournalFiles::open_indexes(const std::vector<uint16_t>& journals) {
  for (const uint16_t journal : journals) open_ids(journal);
  std::vector<Segment> missing;
  for (const Segment& segment : segments()) {
    const auto journal = static_cast<uint16_t>(segment.journal);
    if (segment.open) {
      history_.begin(journal, segment.number);
    } else if (!history_.open(journal, segment.number, true)) {
      missing.push_back(segment);
    }
  }
  const bool few = missing.size() <= made_at_start_max;
  std::ranges::reverse(missing);  // The newest of each journal first.
  std::optional<uint32_t> last_journal;
  for (const Segment& segment : missing) {
    const auto journal = static_cast<uint16_t>(segment.journal);
    const bool newest = std::exchange(last_journal, segment.journal) != segment.journal;
    if ((few || newest) && history_.adopt(journal, segment.number)) continue;
    unindexed_[{segment.journal, segment.number}] = true;
    orders_.send(IndexSegment{segment.journal, segment.number, nullptr});
  }
  if (!unindexed_.empty()) {
    log_info("the indexes of " + std::to_string(unindexed_.size()) +
             " journal segments are missing or of no use, and are being made again from the "
             "segments; until then their events and deliveries are not shown");
  }
  for (const uint16_t journal : journals) {
    if (const auto removed = history_.remove_leftovers(journal); !removed) {
      log_warning("old index files of journal " + std::to_string(journal) +
                  " cannot be removed: " + describe(removed.error()));
    }
    group_ids(journal);
  }
}

// --- files of ids --------------------------------------------------------------------------------

/// No more segments of the group will come, and none of its index files.
bool JournalFiles::is_group_full(uint32_t journal, uint32_t last) const {
  const Numbers& numbers = journals_.at(journal);
  if (numbers.upper_bound(last) == numbers.end()) return false;
  const uint32_t first = index::first_of_group(last);
  const auto unindexed = unindexed_.lower_bound({journal, first});
  if (unindexed != unindexed_.end() && unindexed->first <= SegmentName{journal, last}) return false;
  return std::none_of(numbers.lower_bound(first), numbers.upper_bound(last),
                      [](const auto& segment) { return segment.second; });
}

/// Before the segments, whose filters of ids then take no memory. Those that are of no use are made
/// again.
void JournalFiles::open_ids(uint16_t journal) {
  const auto numbers = journals_.find(journal);
  if (numbers == journals_.end()) return;
  std::set<uint32_t> groups;
  for (const auto& [number, open] : numbers->second) groups.insert(index::last_of_group(number));
  for (const uint32_t last : groups) {
    const auto opened = history_.open_ids(journal, last);
    if (opened || opened.error().code == Errc::not_found) continue;
    log_warning("the file of ids " + index::ids_name(last) + " of journal " +
                std::to_string(journal) + " cannot be used (" + describe(opened.error()) +
                "); it is made again, and until then events are found by their ids more slowly");
  }
}

void JournalFiles::group_ids(uint32_t journal) {
  const auto numbers = journals_.find(journal);
  if (numbers == journals_.end()) return;
  for (auto at = numbers->second.begin(); at != numbers->second.end();) {
    const uint32_t last = index::last_of_group(at->first);
    at = numbers->second.upper_bound(last);
    if (!is_group_full(journal, last) || grouping_.contains({journal, last})) continue;
    const auto segments = history_.wants_ids(static_cast<uint16_t>(journal), last);
    if (segments == 0) continue;
    grouping_.insert({journal, last});
    orders_.send(GroupIds{journal, last, segments});
  }
}

void JournalFiles::on(IdsGrouped&& news) {
  grouping_.erase({news.journal, news.last});
  if (!news.made) return;
  const auto opened = history_.open_ids(static_cast<uint16_t>(news.journal), news.last);
  if (opened || opened.error().code == Errc::not_found) return;  // It has expired meanwhile.
  log_warning("the file of ids " + index::ids_name(news.last) + " of journal " +
              std::to_string(news.journal) + " cannot be opened: " + describe(opened.error()) +
              "; events are found by their ids more slowly");
}

void JournalFiles::write_index(std::shared_ptr<const index::OpenPart> part) {
  const uint32_t journal = part->journal();
  const uint32_t number = part->segment();
  orders_.send(IndexSegment{journal, number, std::move(part)});
}

bool JournalFiles::has(uint32_t journal, uint32_t number) const {
  const auto numbers = journals_.find(journal);
  return numbers != journals_.end() && numbers->second.contains(number);
}

/// From now on its file answers, and no longer the memory.
void JournalFiles::on(SegmentIndexed&& news) {
  const auto late = unindexed_.extract({news.journal, news.number});
  if (!has(news.journal, news.number)) return;  // It has expired meanwhile.
  const bool earlier = !late.empty() && late.mapped();
  const auto journal = static_cast<uint16_t>(news.journal);
  const auto opened = history_.open(journal, news.number, earlier);
  if (opened) return group_ids(news.journal);
  history_.drop(journal, news.number);
  log_error("the index of journal " + std::to_string(news.journal) + ", segment " +
            std::to_string(news.number) + ", cannot be opened: " + describe(opened.error()) +
            "; its events and deliveries are not shown until the next start");
}

void JournalFiles::on(IndexFailed&& news) {
  unindexed_.erase({news.journal, news.number});
  group_ids(news.journal);
}

void JournalFiles::on(IndexPostponed&& news) {
  if (!has(news.journal, news.number)) return;
  history_.drop(static_cast<uint16_t>(news.journal), news.number);
  unindexed_.emplace(SegmentName{news.journal, news.number}, false);
}

std::vector<JournalAccess::Segment> JournalFiles::segments() const {
  std::vector<Segment> all;
  for (const auto& [journal, numbers] : journals_) {
    for (const auto& [number, open] : numbers) all.push_back({journal, number, open});
  }
  return all;
}

std::optional<JournalAccess::Ready> JournalFiles::take() {
  if (ready_.empty()) return std::nullopt;
  const Ready ready = ready_.front();
  ready_.pop_front();
  return ready;
}

void JournalFiles::on_sealed(uint32_t journal, uint32_t segment) {
  journals_[journal][segment] = false;
  orders_.send(CloseSegment{journal, segment});
}

void JournalFiles::expire(uint32_t journal, uint32_t first_needed) {
  Numbers& numbers = journals_[journal];
  numbers.erase(numbers.begin(), numbers.lower_bound(first_needed));
  unindexed_.erase(unindexed_.lower_bound({journal, 0}),
                   unindexed_.lower_bound({journal, first_needed}));
  grouping_.erase(grouping_.lower_bound({journal, 0}),
                  grouping_.lower_bound({journal, first_needed}));
  orders_.send(ExpireSegments{journal, first_needed});
}

uint64_t JournalFiles::bytes() const {
  uint64_t count = 0;
  for (const auto& [journal, numbers] : journals_) count += numbers.size();
  return count * segment_bytes_;
}

}  // namespace ringpost::control
