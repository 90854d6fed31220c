#pragma once

#include "base/clock.h"
#include "journal/record.h"
#include "subscription/snapshot.h"

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

namespace ringpost::shard {

/// The pauses that receivers had asked for before a restart and that are not over, as the OUTCOME
/// records tell of them. Used while a relay starts; holds an entry for each webhook with a pause.
class RecoveredPauses {
 public:
  /// In any order. @param now  a pause that ended before does not matter.
  void on_outcome(const journal::OutcomeView& outcome, WallTime now);

  /// Visits those that still hold: of webhooks that are active and were not pointed at another URL
  /// since. A change of something else is told from one of the URL by the URL that was asked, where
  /// the webhook's requests go to exactly its URL; else it ends the pause as well.
  void for_each(
      const subscription::Snapshot& snapshot,
      const std::function<void(const subscription::Webhook&, WallTime until)>& visit) const;

 private:
  struct Pause {
    WallTime asked_at{};
    WallTime until{};
    std::string request_head;  ///< Of the attempt that was answered so.
  };

  std::unordered_map<uint32_t, Pause> pauses_;  // By webhook number.
};

}  // namespace ringpost::shard
