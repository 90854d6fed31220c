#include "replica/writer_check.h"

#include <algorithm>

namespace ringpost::replica {

bool WriterCheck::on_acknowledged(const Acknowledged& block) {
  if (kept_count_ > 0 && block.offset <= kept_[kept_count_ - 1].offset) {
    return block == kept_[kept_count_ - 1];  // Sent twice.
  }
  const bool all_read = !is_reading();
  if (!may_replace_newest_) {
    if (kept_count_ == kept_max) {  // So many leaders, and no time to ask them.
      std::move(kept_.begin() + 1, kept_.end(), kept_.begin());
      --kept_count_;
      reading_ -= std::min<size_t>(reading_, 1);
    }
    ++kept_count_;
  }
  may_replace_newest_ = true;
  kept_[kept_count_ - 1] = block;
  if (all_read) reading_ = kept_count_;
  return true;
}

std::optional<uint64_t> WriterCheck::next(Instant now) {
  if (!checked_at_) checked_at_ = now;
  if (now - *checked_at_ >= every) {
    checked_at_ = now;
    begin();
  }
  if (!is_reading() || awaited_) return std::nullopt;
  awaited_ = true;
  return kept_[reading_].offset;
}

bool WriterCheck::on_read(uint64_t offset, std::optional<uint32_t> crc) {
  awaited_ = false;
  // If it gave way to a newer one meanwhile, that is read next.
  if (!is_reading() || kept_[reading_].offset != offset) return true;
  if (crc != kept_[reading_++].crc) return false;
  if (is_reading()) return true;
  kept_[0] = kept_[kept_count_ - 1];  // All are there: the newest says enough again.
  kept_count_ = reading_ = 1;
  may_replace_newest_ = true;
  return true;
}

void WriterCheck::on_trimmed(uint64_t first) {
  size_t gone = 0;
  while (gone < kept_count_ && kept_[gone].offset < first) ++gone;
  std::move(kept_.begin() + gone, kept_.begin() + kept_count_, kept_.begin());
  kept_count_ -= gone;
  may_replace_newest_ = may_replace_newest_ && kept_count_ > 0;
  reading_ -= std::min(reading_, gone);
}

void WriterCheck::forget() {
  kept_count_ = reading_ = 0;
  may_replace_newest_ = awaited_ = false;
}

void WriterCheck::restore(std::span<const Acknowledged> blocks) {
  forget();
  for (const Acknowledged& block : blocks.last(std::min(blocks.size(), kept_max))) {
    kept_[kept_count_++] = block;
  }
  begin();
}

}  // namespace ringpost::replica
