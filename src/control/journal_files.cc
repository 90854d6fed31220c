#include "control/journal_files.h"

#include <utility>

namespace ringpost::control {

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
  orders_.send(ExpireSegments{journal, first_needed});
}

uint64_t JournalFiles::bytes() const {
  uint64_t count = 0;
  for (const auto& [journal, numbers] : journals_) count += numbers.size();
  return count * segment_bytes_;
}

}  // namespace ringpost::control
