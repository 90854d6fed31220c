#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <liburing.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace ringpost::io {

/// The kernel's queue pair: staging of submissions, entering the kernel, taking completions. It
/// knows no operation; LinuxRing gives them their meaning. Bound to the thread that creates it.
class KernelRing {
 public:
  /// A completion as the kernel posted it.
  struct Posted {
    uint64_t user_data;
    int32_t result;
    uint32_t flags;  ///< IORING_CQE_F_*
  };

  /// Counted since creation.
  struct Counts {
    uint64_t submissions = 0;  ///< Staged.
    uint64_t enters = 0;       ///< System calls made.
    uint64_t completions = 0;  ///< Taken from the completion queue.
    uint64_t overflows = 0;    ///< Times the completion queue was found to have overflowed: a bug.
  };

  /// Fails with Errc::unsupported and the errno of the step that failed; EOPNOTSUPP if the kernel
  /// made a ring that lacks an operation we need.
  static Result<std::unique_ptr<KernelRing>> create(uint32_t sq_entries, uint32_t cq_entries);
  KernelRing(const KernelRing&) = delete;
  KernelRing& operator=(const KernelRing&) = delete;
  ~KernelRing();

  /// A submission to fill in (io_uring_prep_* first, which clears it). The kernel sees it at the
  /// next entry, in the order of staging. Never fails: beyond the queue's size it waits in memory.
  io_uring_sqe& stage();

  /// Hands over what is staged and runs the kernel's deferred work, without waiting. Makes no
  /// system call if there is neither.
  void submit();
  /// Likewise, and waits for a completion, for at most `timeout` (for ever without).
  void submit_and_wait(std::optional<Duration> timeout);

  /// Whether a completion can be had without waiting.
  bool completions_at_hand() const;

  /// Completions posted and not yet taken.
  uint32_t ready() const { return io_uring_cq_ready(&ring_); }
  /// Moves up to `into.size()` of them out of the queue. @returns how many.
  uint32_t take(std::span<Posted> into);

  const Counts& counts() const { return counts_; }
  /// One line for the log: queue sizes and features found.
  std::string features_text() const;
  io_uring& raw() { return ring_; }

 private:
  KernelRing() = default;

  void flush_backlog();
  void check_entered(int result);
  bool kernel_flag(uint32_t flag) const {
    return (IO_URING_READ_ONCE(*ring_.sq.kflags) & flag) != 0;
  }

  io_uring ring_{};
  bool created_ = false;
  uint32_t operations_known_ = 0;  ///< By the kernel's own account.
  std::deque<io_uring_sqe> backlog_;
  Counts counts_;
};

}  // namespace ringpost::io
