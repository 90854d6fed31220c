#pragma once

#include "base/clock.h"

#include <ctime>

namespace ringpost::load {

/// The clock of io::Ring, as it is now and not when the ring's turn began: what is measured must
/// not be rounded to the turns of whoever measures.
inline Instant read_monotonic() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Instant{std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec}};
}

inline double to_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace ringpost::load
