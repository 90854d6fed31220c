#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

namespace ringpost::control {

class Store;

/// How long every delivery to a webhook has failed (Dialect::broken_after): from the first attempt
/// that failed since the last one that succeeded. Only time in which the relay ran counts, on the
/// monotonic clock: a week without power is no week of failures, and no change of the wall clock
/// makes one.
///
/// Kept in the store, written behind: never for one delivery, but every `write_interval` for all
/// whose time changed. What a crash loses of the last minutes only makes a webhook live longer.
///
/// An entry for each webhook that fails now: at most as many as there are webhooks, 64 bytes each.
class FailingTimes {
 public:
  static constexpr Duration write_interval = std::chrono::minutes(5);
  static constexpr size_t writes_at_once = 1000;  ///< One transaction; the rest in the next step.

  explicit FailingTimes(Store& store) : store_(store) {}

  /// Reads what an earlier life of the relay has seen. Once, before anything else.
  Result<void> load();
  /// The relay runs: what an earlier life left goes on from here.
  void begin(Instant now);

  /// An attempt failed. @returns how long every one has.
  Duration on_failure(uint32_t webhook_number, Instant now);
  /// An attempt succeeded, or the webhook begins anew because it was enabled.
  void clear(uint32_t webhook_number);
  /// The webhook is gone, and its row with it.
  void forget(uint32_t webhook_number) { entries_.erase(webhook_number); }

  /// Writes what is due. @returns whether more is waiting to be written now. What the store refuses
  /// is tried again after the next interval.
  bool step(Instant now);
  /// When `step` is wanted next; nothing: not before the next change.
  std::optional<Instant> due() const { return due_; }

 private:
  struct Entry {
    Duration before{};     ///< Of earlier lives.
    Instant since{};       ///< The first failure of this life, or its beginning.
    bool failing = true;   ///< False: it does not any more, and the store has to hear of that.
    bool stored = false;   ///< The store has a time for it.
    bool changed = false;  ///< It is not the present one.
  };
  using Entries = std::map<uint32_t, Entry>;

  void on_change(Entry& entry);
  Result<void> write(Entries::iterator& next);

  Store& store_;
  Entries entries_;  // By webhook number.
  Instant now_{};    // As it was told last.
  std::optional<Instant> due_;
  uint32_t next_to_write_ = 0;
};

}  // namespace ringpost::control
