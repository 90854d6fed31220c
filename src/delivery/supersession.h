#pragma once

#include "base/ulid.h"
#include "journal/position.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace ringpost::delivery {

/// Which delivery is the newest about each subject, for a webhook whose newer events make older
/// ones pointless (Dialect::newer_supersedes_older). An older one that waits is not sent any more;
/// one in flight is not repeated. Subjects of deliveries that have ended are remembered, up to
/// `ended_max`, so that an older event that comes late is known for what it is.
class Supersession {
 public:
  static constexpr size_t ended_max = 1024;

  struct Pending {
    Ulid id;
    journal::Position event;
  };
  struct Arrival {
    bool superseded = false;       ///< There is a newer one: this one is pointless.
    std::optional<Pending> older;  ///< What this one makes pointless, if it is pending.
  };

  /// A delivery of that subject (Renderer::subject, not 0) is here, or looked at again; a change of
  /// its webhook may give it another subject. Of two in the same millisecond the one that comes
  /// later is newer.
  Arrival add(uint64_t subject, const Pending& delivery);
  /// Whether a delivery that was added has a newer one.
  bool is_superseded(const Ulid& id) const;
  /// The delivery is delivered, dead or cancelled.
  void on_end(const Ulid& id);

  /// A superseded delivery is on record as cancelled, and is still in a queue.
  void leave_in_queue(const Ulid& id) { left_.insert(id); }
  /// It comes out of the queue. @returns whether it was left there.
  bool take_from_queue(const Ulid& id) { return left_.erase(id) > 0; }
  size_t left_in_queue() const { return left_.size(); }
  std::unordered_set<Ulid, UlidHash> take_left() { return std::exchange(left_, {}); }

 private:
  struct Newest {
    Pending delivery;
    bool ended = false;
  };

  void note_ended(uint64_t subject);

  std::unordered_map<uint64_t, Newest> newest_;            ///< By subject.
  std::unordered_map<Ulid, uint64_t, UlidHash> subjects_;  ///< Of deliveries that are pending.
  std::deque<uint64_t> ended_;                             ///< The first to have ended first.
  std::unordered_set<Ulid, UlidHash> left_;
};

}  // namespace ringpost::delivery
