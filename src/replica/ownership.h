#pragma once

#include "base/clock.h"
#include "replica/record.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>

namespace ringpost::replica {

struct OwnershipTiming {
  /// How long a RENEW lasts from when it was sent, if it is read back.
  Duration lease = std::chrono::seconds(5);
  /// Of a new owner, from reading its CLAIM back: the lease of the one before, and a margin for
  /// clocks that run at different rates.
  Duration wait = std::chrono::milliseconds(5500);
  Duration renew_every = std::chrono::seconds(1);
  /// After `lost`: how long to see no RENEW at the end of the log before claiming.
  Duration look = std::chrono::seconds(2);
  /// The engine has to confirm at least so often that this is the end of the log.
  Duration look_gap = std::chrono::seconds(1);
  /// After `lost`: how long an owner that got other partitions keeps this one.
  Duration leave_after = std::chrono::seconds(60);
  Duration claim_every = std::chrono::seconds(1);
  /// A CLAIM or FENCE that was not read back is written again after this.
  Duration write_again = std::chrono::seconds(5);
  /// RENEWs that were not read back yet; more are sent at the pace of `write_again` only.
  uint32_t renews_open_max = 6;
};

/// Whether this node owns one partition, as a fold over what it reads from the partition's log and
/// what the group says, in the order in which they come. The rules and their reasons are in
/// src/replica/README.md. No clock and no I/O: each call gets the monotonic time, and `next` says
/// what to write.
class Ownership {
 public:
  enum class State : uint8_t {
    none,     ///< Somebody else's, as far as this node knows.
    waiting,  ///< The claim was read back; the former owner's lease may still run.
    fencing,  ///< The wait is over; the FENCE was not read back yet.
    owning,   ///< Attempts may start.
    expired,  ///< The lease ended; a RENEW that is read back in time revives it.
    leaving,  ///< Attempts under way end, then a RELEASE is written.
  };

  /// What the caller knows of its own work at the partition.
  struct Work {
    /// No attempt is under way, and all outcomes are acknowledged.
    bool idle = true;
    /// Whether a partition that the group gave to nobody of this node may be left now: one a
    /// second, over all partitions.
    bool may_leave = true;
    /// First offset with an event that is not settled by acknowledged outcomes. Used once the
    /// node owns the partition.
    uint64_t low_water_mark = 0;
  };

  /// A record to append: FENCE to `outcomes`, the others to `events`.
  using Action = std::variant<Claim, Renew, Release, Fence>;

  /// The highest low-water mark that is firm: a RENEW with it was read while its claim was the
  /// newest, so all outcomes below it are in the log; and in the leader epoch in which it was sent,
  /// so the log did not lose its tail in between.
  struct FirmMark {
    uint64_t offset = 0;
    BlockName witness;  ///< The newest RENEW that says so. Not there if the mark is 0.
    ClaimName claim;    ///< Under which it was sent.
  };

  explicit Ownership(const Writer& self, const OwnershipTiming& timing = {})
      : self_(self), timing_(timing) {}

  /// Reading does not begin with the first offset of `events`. Only as the first call.
  /// @param latest  the newest CLAIM below where it begins: that of the checkpoint, or that of the
  ///                SETTLED if it lies below its mark. Nothing: the first CLAIM is read yet.
  void begin_at(const std::optional<ClaimName>& latest) { latest_ = latest; }

  // --- the group's word ---

  void on_assigned();
  /// An assignment came that does not name this partition.
  void on_assigned_elsewhere(Instant now);
  void on_revoked();
  /// The group is gone; nothing ends by that. What is assigned next may be anything.
  void on_lost();

  // --- what is read from `events`, in its order ---

  /// Any block, after its records.
  void on_block(const BlockName& block) { read_epoch_ = block.epoch; }
  /// @param name  of the block with the CLAIM.
  void on_claim(const ClaimName& name, const Claim& claim, Instant now);
  /// @param at  the block with the RENEW.
  void on_renew(const BlockName& at, const Renew& renew, Instant now);
  void on_release(const BlockName& at, const Release& release);
  /// The engine has just confirmed that nothing follows what was read.
  void on_end_of_log(Instant now);

  // --- what is read from `outcomes` ---

  /// The highest FENCE so far.
  void on_fence(const ClaimName& fence);

  /// Either log of the partition lost its tail. Ends everything; the node claims anew.
  /// @param first  first offset of `events`.
  /// @param end    where the lost part begins; `first` if nobody knows.
  /// @returns the offset from which to read `events` again.
  uint64_t on_rollback(Instant now, uint64_t first, uint64_t end);

  // --- what follows ---

  State state(Instant now) const;
  bool may_attempt(Instant now) const { return state(now) == State::owning; }
  /// What to append now, one record at a time; ask until there is nothing. To be asked after each
  /// call above, and every 100 ms.
  std::optional<Action> next(Instant now, const Work& work);

  /// The claim that this node holds.
  const std::optional<ClaimName>& held() const { return held_; }
  /// The newest CLAIM that was read, of any node.
  const std::optional<ClaimName>& latest() const { return latest_; }
  const FirmMark& firm_mark() const { return firm_mark_; }

 private:
  void hold(const ClaimName& name, Instant wait_until);
  void let_go();
  bool is_mine(const Claim& claim) const;
  bool may_claim(Instant now) const;
  bool looked(Instant now) const;
  bool fence_due(Instant now) const;
  bool renew_due(Instant now) const;
  Claim make_claim(Instant now);
  Renew make_renew(Instant now, const Work& work);
  Release make_release();

  const Writer self_;
  const OwnershipTiming timing_;

  // The group.
  bool assigned_ = false;
  bool lost_ = false;       // No assignment came since.
  bool must_look_ = false;  // The assignment came after a `lost`.

  // The log.
  std::optional<ClaimName> latest_;
  std::optional<uint32_t> released_;  // Leader epoch of a RELEASE of `latest_`.
  FirmMark firm_mark_;
  uint32_t read_epoch_ = 0;
  std::optional<Instant> looking_since_;
  Instant end_seen_at_{};

  // Own claims.
  uint32_t attempt_ = 0;
  bool claim_open_ = false;  // Written, not read back.
  std::optional<Instant> claim_sent_at_;

  // Only while a claim is held.
  std::optional<ClaimName> held_;
  Instant wait_until_{};
  std::optional<Instant> lease_until_;
  bool fenced_ = false;
  std::optional<Instant> fence_sent_at_;
  std::optional<Instant> renew_sent_at_;
  uint32_t renews_open_ = 0;
  bool leaving_ = false;
  std::optional<Instant> leave_at_;
};

}  // namespace ringpost::replica
