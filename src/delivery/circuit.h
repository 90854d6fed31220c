#pragma once

#include "base/clock.h"
#include "base/prng.h"

#include <algorithm>
#include <cstdint>

namespace ringpost::delivery {

/// A circuit breaker: keeps attempts from whoever failed several times in a row, and tries with one
/// attempt at a time whether that is over.
///
///     closed ── failures_max in a row ──> open ── its pause is over ──> half open: one probe
///       ^                                  ^                              │          │
///       └──────────── success ─────────────┼───────── success ────────────┼──────────┘
///                                          └─────── failure: twice the pause
class Circuit {
 public:
  enum class State : uint8_t { closed, open, half_open };

  struct Options {
    uint32_t failures_max = 5;  ///< In a row; 0: never opens.
    Duration first_pause = std::chrono::seconds{1};
    Duration pause_max = std::chrono::seconds{60};
  };

  State state() const { return state_; }
  bool closed() const { return state_ == State::closed; }
  /// How many attempts in a row failed.
  uint32_t failures() const { return failures_; }
  /// When the next probe may begin, while it is open.
  Instant probe_at() const { return probe_at_; }

  /// Since when it has not been closed.
  Instant opened_at() const { return opened_at_; }

  /// Whether an attempt may begin: it is closed, or open for long enough.
  bool admits(Instant now) const {
    return state_ == State::closed || (state_ == State::open && now >= probe_at_);
  }

  /// An attempt that it admits begins.
  /// @returns whether it is the probe, which has to be handed to one of the three below.
  bool on_start();
  /// @returns whether it was open until now.
  bool on_success();
  /// @param probe  as `on_start` returned. Of an open circuit only its probe's failure counts: the
  ///               others were under way when it opened.
  /// @returns whether it opened with this, for the first time or again.
  bool on_failure(bool probe, Instant now, const Options& options, Prng& random);
  /// The next attempt may be made at `latest`: a person wants to know now, or the limit of pauses
  /// is another one.
  void hasten(Instant latest) { probe_at_ = std::min(probe_at_, latest); }
  /// The attempt ended without showing anything, by a cause of our own.
  void on_no_result(bool probe);

 private:
  State state_ = State::closed;
  uint32_t failures_ = 0;
  Duration pause_{};
  Instant probe_at_{};
  Instant opened_at_{};
};

}  // namespace ringpost::delivery
