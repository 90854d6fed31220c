#include "ingest/body_budget.h"

#include "base/assert.h"

namespace ringpost::ingest {

BodyBudget::BodyBudget(io::Ring& ring, const Options& options) : ring_(ring), options_(options) {
  RINGPOST_ASSERT(options_.small_use <= options_.large_use);
}

bool BodyBudget::fits(const Share& share, uint64_t bytes) const {
  if (bytes <= share.bytes) return true;
  const uint64_t more = bytes - share.bytes;
  // The bounds may have been lowered below what is used.
  const auto fits_below = [more](uint64_t used, uint64_t bound) {
    return used <= bound && more <= bound - used;
  };
  if (!fits_below(used_, options_.bytes_max)) return false;
  return share.organization ? fits_organization(share, more)
                            : fits_below(unvouched_, options_.bytes_max / 4);
}

/// `more` fits into what is left for all.
bool BodyBudget::fits_organization(const Share& share, uint64_t more) const {
  const auto found = used_by_.find(*share.organization);
  const uint64_t used = found != used_by_.end() ? found->second : 0;
  const uint64_t left = options_.bytes_max - used_ - more;
  return used == share.bytes || used + more <= 4 * left;
}

bool BodyBudget::grow(Share& share, uint64_t bytes) {
  if (!fits(share, bytes)) return false;
  if (bytes <= share.bytes) return true;
  const uint64_t more = bytes - share.bytes;
  share.bytes = bytes;
  used_ += more;
  (share.organization ? used_by_[*share.organization] : unvouched_) += more;
  if (used_ >= options_.large_use) owing_ = used_again_ = true;
  return true;
}

void BodyBudget::drop(Share& share) {
  RINGPOST_ASSERT(share.bytes <= used_);
  used_ -= share.bytes;
  count_out(share);
  share = {};
  if (!owing_ || used_ >= options_.small_use || quiet_timer_.armed()) return;
  used_again_ = false;
  ring_.arm<&BodyBudget::on_quiet>(*this, quiet_timer_, options_.quiet);
}

void BodyBudget::count_out(const Share& share) {
  if (share.bytes == 0) return;
  if (!share.organization) {
    unvouched_ -= share.bytes;
    return;
  }
  const auto used = used_by_.find(*share.organization);
  RINGPOST_ASSERT(used != used_by_.end() && used->second >= share.bytes);
  used->second -= share.bytes;
  if (used->second == 0) used_by_.erase(used);
}

void BodyBudget::on_quiet() {
  if (used_ >= options_.small_use) return;  // `drop` arms again.
  if (used_again_) {                        // Fresh pages now would only be wanted back.
    used_again_ = false;
    ring_.arm<&BodyBudget::on_quiet>(*this, quiet_timer_, options_.quiet);
    return;
  }
  owing_ = false;
  options_.give_back();
}

}  // namespace ringpost::ingest
