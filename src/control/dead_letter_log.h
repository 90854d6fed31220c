#pragma once

#include "base/clock.h"
#include "base/ulid.h"
#include "ringpost/error.h"

#include <cstdint>
#include <map>
#include <optional>

namespace ringpost::control {

/// Tells the log of deliveries that failed for good, with the command that shows one: a webhook's
/// first at once, and what follows it as a count, once in `interval`.
///
/// An entry for each webhook with a dead letter within the last `interval`, at most
/// `webhooks_max`; what is beyond them is one count for all.
class DeadLetterLog {
 public:
  static constexpr Duration interval = std::chrono::minutes{1};
  static constexpr size_t webhooks_max = 100;

  struct Death {
    uint32_t webhook_number = 0;
    Ulid webhook;
    Ulid delivery;
    uint32_t attempts = 0;
    Error error{};
  };

  void on_death(const Death& death, Instant now);
  /// Logs the counts that are due.
  void step(Instant now);
  /// When `step` is wanted next; nothing: not before the next death.
  std::optional<Instant> due() const { return due_; }

 private:
  struct Entry {
    Ulid webhook;
    uint64_t untold = 0;
    Instant told_at{};
  };

  void tell_of_others(Instant now);
  void want(Instant at);

  std::map<uint32_t, Entry> entries_;  // By webhook number.
  uint64_t others_untold_ = 0;
  Instant others_told_at_{};
  std::optional<Instant> due_;
};

}  // namespace ringpost::control
