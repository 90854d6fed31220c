#pragma once

#include "base/assert.h"

#include <algorithm>
#include <cstdint>
#include <time.h>
#include <vector>

namespace ringpost::bench {

/// This thread's CPU time: on a shared machine the wall clock tells of other people's work.
inline double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// CPU nanoseconds per call of `work`, which answers whether it succeeded.
template <typename Work>
double measure(uint64_t calls, Work work) {
  const double start = cpu_ns();
  for (uint64_t call = 0; call < calls; ++call) RINGPOST_ASSERT(work());
  return (cpu_ns() - start) / static_cast<double>(calls);
}

/// The upper one of the two in the middle, of an even number. @param values  not empty.
inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace ringpost::bench
