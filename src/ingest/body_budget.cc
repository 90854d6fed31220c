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
  return fits_below(used_, options_.bytes_max) &&
         (share.vouched || fits_below(unvouched_, options_.bytes_max / 4));
}

bool BodyBudget::grow(Share& share, uint64_t bytes) {
  if (!fits(share, bytes)) return false;
  if (bytes <= share.bytes) return true;
  const uint64_t more = bytes - share.bytes;
  share.bytes = bytes;
  used_ += more;
  if (!share.vouched) unvouched_ += more;
  if (used_ >= options_.large_use) owing_ = used_again_ = true;
  return true;
}

void BodyBudget::drop(Share& share) {
  RINGPOST_ASSERT(share.bytes <= used_);
  used_ -= share.bytes;
  if (!share.vouched) unvouched_ -= share.bytes;
  share = {};
  if (!owing_ || used_ >= options_.small_use || quiet_timer_.armed()) return;
  used_again_ = false;
  ring_.arm<&BodyBudget::on_quiet>(*this, quiet_timer_, options_.quiet);
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
