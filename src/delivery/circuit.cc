#include "delivery/circuit.h"

#include "base/assert.h"

#include <limits>
#include <utility>

namespace ringpost::delivery {

bool Circuit::on_start() {
  RINGPOST_ASSERT(state_ != State::half_open);
  if (state_ == State::closed) return false;
  state_ = State::half_open;
  return true;
}

bool Circuit::on_success() {
  failures_ = 0;
  pause_ = {};
  return std::exchange(state_, State::closed) != State::closed;
}

bool Circuit::on_failure(bool probe, Instant now, const Options& options, Prng& random) {
  if (failures_ < std::numeric_limits<uint32_t>::max()) ++failures_;
  if (options.failures_max == 0) {
    state_ = State::closed;
    pause_ = {};
    return false;
  }
  if (state_ != State::closed && !probe) return false;
  if (state_ == State::closed && failures_ < options.failures_max) return false;
  pause_ = pause_ == Duration::zero() ? options.first_pause
                                      : std::min<Duration>(pause_ * 2, options.pause_max);
  if (state_ == State::closed) opened_at_ = now;
  state_ = State::open;
  // Spread, so that what failed together is not probed together.
  const auto ns = static_cast<uint64_t>(pause_.count());
  probe_at_ = now + Duration{static_cast<int64_t>(random.between(ns - ns / 4, ns + ns / 4))};
  return true;
}

void Circuit::on_no_result(bool probe) {
  if (probe) state_ = State::open;  // Its pause is over: the next attempt is the probe.
}

}  // namespace ringpost::delivery
