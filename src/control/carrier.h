#pragma once

#include "base/clock.h"
#include "control/journal_access.h"
#include "control/messages.h"
#include "control/pending_tally.h"
#include "control/segment_ledger.h"
#include "index/index.h"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace ringpost::control {

/// Carries forward what is pending in a segment that is to go: its events are written again, with
/// what is known of their deliveries, where their shard writes now. When all are, nothing of the
/// segment is pending any more, and it goes as any other.
///
/// What is written again costs room before it makes any. So it never writes more than four times
/// what came in, after a first time that is free; then, and while the disk is full, old segments
/// stay.
///
/// What is pending in a segment is asked of the history. While that lacks a segment, nothing is
/// carried: an outcome in it may say that a delivery has ended.
class Carrier {
 public:
  /// All outlive it.
  struct Parts {
    PendingTally& pending;
    SegmentLedger& ledger;
    index::Index& history;  ///< Tells what is pending in a segment.
    JournalAccess& journals;
    Post& post;
    uint32_t shard_count = 1;
  };

  explicit Carrier(const Parts& parts) : parts_(parts) {}

  /// What may be written again at first, and at most later: bytes.
  void set_allowance(uint64_t bytes);
  /// A segment of so many bytes is full.
  void on_sealed(uint64_t bytes);
  /// One bounded piece of a segment, which has something pending. Call again after each answer.
  void carry(journal::Position segment, WallTime wall_now, Instant now);
  /// @returns whether it was the answer to an event of this.
  bool on_stored(const StoreEventDone& answer, Instant now);
  /// Records are on their way that the ledger does not know yet: nothing may be removed that they
  /// may need.
  bool busy() const { return !sent_.empty(); }
  /// When to call `carry` without an answer before.
  std::optional<Instant> due() const { return not_before_; }

  /// Since the start.
  uint64_t events() const { return events_; }

 private:
  struct Sent {
    uint64_t bytes = 0;
    journal::Position event;
  };

  bool history_is_whole() const;
  bool may_send() const { return sent_.size() < events_max && bytes_sent_ < bytes_max; }
  bool has_allowance(Instant now);
  bool send_some(WallTime wall_now, Instant now);
  void send(const index::PendingEvent& event, WallTime wall_now);
  void leave(journal::Position event, const Error& why);
  void pay(uint64_t bytes);

  const Parts parts_;
  uint64_t allowance_max_ = 0;
  uint64_t allowance_ = 0;
  bool short_ = false;  ///< The log has said so.

  /// On their way at the same time.
  static constexpr size_t events_max = 64;
  static constexpr uint64_t bytes_max = 1024 * 1024;

  journal::Position segment_;   ///< That is gone through, the newest event first; none: not valid.
  std::optional<Ulid> before_;  ///< What is left of it: events with a smaller uid. Nothing: all.
  bool sent_any_ = false;       ///< Of it.
  std::unordered_set<uint64_t> stuck_;       ///< Events that cannot be written again.
  std::unordered_map<uint64_t, Sent> sent_;  ///< By ticket.
  uint64_t bytes_sent_ = 0;                  ///< Of `sent_`.
  std::optional<Instant> not_before_;
  uint64_t next_ticket_ = uint64_t{1} << 62;  // Those of Control are below, of Replays above.
  uint64_t events_ = 0;
};

}  // namespace ringpost::control
