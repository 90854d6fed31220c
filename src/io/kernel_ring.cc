#include "io/kernel_ring.h"

#include "base/assert.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <sys/utsname.h>

namespace ringpost::io {

namespace {

// Deferred task work and a single issuer are what make completions cheap; they need Linux 6.1, and
// with it come multishot accept (5.19), buffer rings (5.19) and multishot receive (6.0).
constexpr uint32_t setup_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL |
                                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;

constexpr uint32_t features_needed =
    IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;

constexpr int operations_needed[] = {IORING_OP_ACCEPT,  IORING_OP_CONNECT,      IORING_OP_RECV,
                                     IORING_OP_SEND,    IORING_OP_ASYNC_CANCEL, IORING_OP_WRITE,
                                     IORING_OP_POLL_ADD};

Error setup_error(int errno_value) {
  return {Errc::unsupported, Side::operator_, errno_value};
}

/// @returns how many operations the kernel knows; 0 if one that we need is missing.
uint32_t probe_operations(io_uring& ring) {
  const std::unique_ptr<io_uring_probe, void (*)(io_uring_probe*)> probe{
      io_uring_get_probe_ring(&ring), io_uring_free_probe};
  if (!probe) return 0;
  for (const int operation : operations_needed) {
    if (io_uring_opcode_supported(probe.get(), operation) == 0) return 0;
  }
  return probe->last_op + 1U;
}

}  // namespace

Result<std::unique_ptr<KernelRing>> KernelRing::create(uint32_t sq_entries, uint32_t cq_entries) {
  std::unique_ptr<KernelRing> kernel{new KernelRing};
  io_uring_params parameters{};
  parameters.flags = setup_flags;
  parameters.cq_entries = cq_entries;
  const int made = io_uring_queue_init_params(sq_entries, &kernel->ring_, &parameters);
  if (made < 0) return setup_error(-made);
  kernel->created_ = true;
  kernel->operations_known_ = probe_operations(kernel->ring_);
  if (kernel->operations_known_ == 0) return setup_error(EOPNOTSUPP);
  if ((parameters.features & features_needed) != features_needed) return setup_error(EOPNOTSUPP);
  // Saves the look-up of the descriptor on every entry.
  const int registered = io_uring_register_ring_fd(&kernel->ring_);
  if (registered < 0) return setup_error(-registered);
  // A filter may forbid io_uring_enter alone. Found out now it is an error, later the end.
  const int entered = io_uring_submit_and_get_events(&kernel->ring_);
  if (entered < 0) return setup_error(-entered);
  return kernel;
}

KernelRing::~KernelRing() {
  if (created_) io_uring_queue_exit(&ring_);
}

io_uring_sqe& KernelRing::stage() {
  ++counts_.submissions;
  if (backlog_.empty()) {
    if (io_uring_sqe* sqe = io_uring_get_sqe(&ring_)) return *sqe;
    ++counts_.enters;
    check_entered(io_uring_submit(&ring_));
    if (io_uring_sqe* sqe = io_uring_get_sqe(&ring_)) return *sqe;
  }
  // The kernel takes no more before completions are taken: keep the order, hand over later.
  return backlog_.emplace_back();
}

void KernelRing::flush_backlog() {
  while (!backlog_.empty()) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
      ++counts_.enters;
      check_entered(io_uring_submit(&ring_));
      sqe = io_uring_get_sqe(&ring_);
      if (sqe == nullptr) return;
    }
    *sqe = backlog_.front();
    backlog_.pop_front();
  }
}

bool KernelRing::completions_at_hand() const {
  return ready() > 0 || kernel_flag(IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

void KernelRing::submit() {
  flush_backlog();
  const bool deferred_work = kernel_flag(IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
  if (io_uring_sq_ready(&ring_) == 0 && !deferred_work) return;
  if (kernel_flag(IORING_SQ_CQ_OVERFLOW)) ++counts_.overflows;
  ++counts_.enters;
  // Deferred work only runs in an entry that asks for events.
  check_entered(io_uring_submit_and_get_events(&ring_));
}

void KernelRing::submit_and_wait(std::optional<Duration> timeout) {
  flush_backlog();
  if (!backlog_.empty() || completions_at_hand()) return submit();
  ++counts_.enters;
  io_uring_cqe* first = nullptr;
  if (!timeout) {
    check_entered(io_uring_submit_and_wait(&ring_, 1));
    return;
  }
  const int64_t ns = std::max<int64_t>(timeout->count(), 0);
  __kernel_timespec limit{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  check_entered(io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr));
}

void KernelRing::check_entered(int result) {
  switch (-result) {
    case ETIME:   // The time-out passed.
    case EINTR:   // A signal; the loop looks around and comes back.
    case EAGAIN:  // The kernel is short of memory for requests; what is staged stays staged.
    case ENOMEM:
    case EBUSY:  // Completions have to be taken first; likewise.
      return;
    default: RINGPOST_ASSERT(result >= 0);  // Another thread's ring, or a completion was lost.
  }
}

uint32_t KernelRing::take(std::span<Posted> into) {
  uint32_t count = 0;
  uint32_t head = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    if (count == into.size()) break;
    into[count++] = {cqe->user_data, cqe->res, cqe->flags};
  }
  io_uring_cq_advance(&ring_, count);
  counts_.completions += count;
  return count;
}

std::string KernelRing::features_text() const {
  utsname system{};
  uname(&system);
  char features[16];
  std::snprintf(features, sizeof features, "0x%x", ring_.features);
  return std::string{"Linux "} + system.release + ", io_uring with " +
         std::to_string(ring_.sq.ring_entries) + " submissions, " +
         std::to_string(ring_.cq.ring_entries) + " completions, " +
         std::to_string(operations_known_) + " operations, features " + features +
         ", single issuer, deferred task work";
}

}  // namespace ringpost::io
