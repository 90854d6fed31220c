#pragma once

#include "base/clock.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace ringpost::delivery {

/// How many attempts of one webhook its receiver takes at once, learnt from how they end, as TCP
/// learns its congestion window (RFC 5681). It starts small and grows by one with each success; the
/// first time that the receiver shows that it has too much it halves, and from there it grows by
/// one with each window of successes.
class Window {
 public:
  static constexpr uint32_t first_size = 4;

  /// @param size_max  the webhook's own limit, at least 1.
  uint32_t size(uint32_t size_max) const { return std::min(size_, size_max); }

  void on_success(uint32_t size_max) {
    if (size_ >= size_max) return;
    if (size_ >= threshold_ && ++successes_ < size_) return;
    successes_ = 0;
    ++size_;
  }

  /// A timeout, a broken connection, 429 or 5xx. Attempts that were under way together fail
  /// together: what began before the last decrease says nothing new.
  void on_failure(Instant began, Instant now) {
    if (began < decreased_at_) return;
    decreased_at_ = now;
    successes_ = 0;
    threshold_ = size_ = std::max(size_ / 2, 1u);
  }

 private:
  uint32_t size_ = first_size;
  uint32_t threshold_ = std::numeric_limits<uint32_t>::max();  ///< From here on it grows slowly.
  uint32_t successes_ = 0;                                     ///< Since the size changed.
  Instant decreased_at_{};
};

}  // namespace ringpost::delivery
