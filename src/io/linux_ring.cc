#include "io/linux_ring.h"

#include "base/assert.h"
#include "io/buffer_group.h"
#include "io/event_waker.h"
#include "io/kernel_ring.h"
#include "io/listener.h"
#include "io/process.h"
#include "io/socket_address.h"
#include "io/system.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace ringpost::io {

namespace {

// user_data is the address of the completion, or something of these; no address ends in their bits.
constexpr uint64_t user_data_wake = 1;
constexpr uint64_t user_data_ignored = 2;
constexpr uint64_t user_data_cancel = 3;  // And above the tag the place in cancels_.
constexpr uint64_t user_data_tag_mask = 7;
constexpr uint32_t user_data_tag_bits = 3;
static_assert(alignof(Completion) > user_data_tag_mask);

/// Where a pending operation is, in Completion::progress.flags. None of them: its handler runs.
enum Place : uint8_t {
  in_kernel = 1,
  in_starved_queue = 2,
  in_paused_accepts = 4,
  in_local_ends = 8,
  cancelled = 16,   ///< Not a place: its end was asked for.
  in_cancels = 32,  ///< Likewise: progress.offset is its place in cancels_.
};

constexpr uint32_t batch_size = 256;

/// Bytes per submission; the kernel's counts are 32 bits wide and signed.
constexpr uint32_t transfer_bytes_max = 1U << 30;

bool is(const Completion& op, Place place) {
  return (op.progress.flags & place) != 0;
}
void set(Completion& op, Place place) {
  op.progress.flags = static_cast<uint8_t>(op.progress.flags | place);
}
void clear(Completion& op, Place place) {
  op.progress.flags = static_cast<uint8_t>(op.progress.flags & ~place);
}

uint64_t user_data_of(const Completion& op) {
  return reinterpret_cast<uintptr_t>(&op);
}

}  // namespace

// --- creation ------------------------------------------------------------------------------------

LinuxRing::LinuxRing(const Options& options)
    : options_(options), waker_(std::make_unique<EventWaker>()) {
  read_clocks();
}

Result<std::unique_ptr<LinuxRing>> LinuxRing::create(const Options& options) {
  std::unique_ptr<LinuxRing> ring{new LinuxRing{options}};
  auto kernel = KernelRing::create(options.sq_entries, options.cq_entries);
  if (!kernel) return kernel.error();
  ring->kernel_ = std::move(*kernel);
  const BufferGroup::Shape shapes[] = {
      {.id = 0,
       .count = options.ingress_buffers,
       .bytes = options.ingress_buffer_bytes,
       .circulating_first = options.buffers_circulating_first},
      {.id = 1,
       .count = options.reply_buffers,
       .bytes = options.reply_buffer_bytes,
       .circulating_first = options.buffers_circulating_first},
  };
  for (const BufferGroup::Shape& shape : shapes) {
    auto buffers = BufferGroup::create(ring->kernel_->raw(), shape);
    if (!buffers) return buffers.error();
    ring->groups_[shape.id].buffers = std::move(*buffers);
  }
  if (auto opened = ring->waker_->open(); !opened) return opened.error();
  ring->stage_wake_poll();
  return ring;
}

LinuxRing::~LinuxRing() {
  RINGPOST_ASSERT(pending_count_ == 0);
}

std::string LinuxRing::features_text() const {
  const auto group = [](uint32_t count, uint32_t bytes) {
    return std::to_string(count) + " x " + std::to_string(bytes) + " B";
  };
  return kernel_->features_text() + "; receive buffers: ingress " +
         group(options_.ingress_buffers, options_.ingress_buffer_bytes) + ", reply " +
         group(options_.reply_buffers, options_.reply_buffer_bytes);
}

RingStatistics LinuxRing::statistics() const {
  RingStatistics statistics = statistics_;
  statistics.submissions = kernel_->counts().submissions;
  statistics.enters = kernel_->counts().enters;
  statistics.completions = kernel_->counts().completions;
  statistics.overflows = kernel_->counts().overflows;
  return statistics;
}

Waker& LinuxRing::waker() {
  return *waker_;
}

// --- the registry of what is pending -------------------------------------------------------------

LinuxRing::SocketState& LinuxRing::state_of(int32_t descriptor) {
  RINGPOST_ASSERT(descriptor >= 0);
  const auto index = static_cast<size_t>(descriptor);
  if (index >= sockets_.size()) sockets_.resize(std::max(index + 1, sockets_.size() * 2));
  return sockets_[index];
}

/// Counts `op`, and enters it with its socket unless it has none (`descriptor` -1).
void LinuxRing::admit(Completion& op, int32_t descriptor) {
  op.progress = {};
  op.progress.file = descriptor;
  ++pending_count_;
  if (descriptor < 0) return;
  SocketState& state = state_of(descriptor);
  RINGPOST_ASSERT(state.closer == nullptr);
  op.progress.next = state.first;
  if (state.first != nullptr) state.first->progress.previous = &op;
  state.first = &op;
}

void LinuxRing::retire(Completion& op) {
  --pending_count_;
  if (is(op, in_cancels)) cancels_[op.progress.offset] = nullptr;  // Free when the answer is here.
  if (op.on_file() || op.progress.file < 0) return;
  Completion* const next = op.progress.next;
  Completion* const previous = op.progress.previous;
  if (next != nullptr) next->progress.previous = previous;
  if (previous != nullptr) {
    previous->progress.next = next;
  } else {
    state_of(op.progress.file).first = next;
  }
}

/// Ends `op` and runs its handler, after which it may not exist any more.
void LinuxRing::finish(Completion& op, int32_t result) {
  const bool on_socket = !op.on_file();
  const int32_t descriptor = op.progress.file;
  retire(op);
  op.complete({.result = result});
  if (on_socket && descriptor >= 0) close_if_idle(descriptor);
}

void LinuxRing::finish_next_turn(Completion& op, int32_t result) {
  RINGPOST_ASSERT(!is(op, in_local_ends));
  set(op, in_local_ends);
  local_ends_.push_back({&op, result});
}

void LinuxRing::close_if_idle(int32_t descriptor) {
  SocketState& state = state_of(descriptor);
  if (state.closer == nullptr || state.first != nullptr) return;
  if (!is(*state.closer, in_local_ends)) finish_next_turn(*state.closer, 0);
}

void LinuxRing::cancel(Completion& op) {
  if (!op.pending() || is(op, cancelled)) return;
  if (op.operation() == Completion::Operation::close) return;  // It waits for nobody's peer.
  set(op, cancelled);
  if (is(op, in_starved_queue)) {
    clear(op, in_starved_queue);
    groups_[op.progress.size].starved.erase(op.progress.offset);
    finish_next_turn(op, -ECANCELED);
  } else if (is(op, in_paused_accepts)) {
    clear(op, in_paused_accepts);
    std::erase(paused_accepts_, &op);
    finish_next_turn(op, -ECANCELED);
  } else if (is(op, in_kernel)) {
    cancel_in_kernel(op);
  }
  // Else its handler runs just now, or its end is queued: either sees the flag or needs nothing.
}

void LinuxRing::cancel_in_kernel(Completion& op) {
  if (op.on_file()) {  // Ends soon, found or not.
    return stage_cancel(op, user_data_ignored);
  }
  uint32_t place = static_cast<uint32_t>(cancels_.size());
  if (cancels_free_.empty()) {
    cancels_.push_back(&op);
  } else {
    place = cancels_free_.back();
    cancels_free_.pop_back();
    cancels_[place] = &op;
  }
  op.progress.offset = place;
  set(op, in_cancels);
  stage_cancel(op, uint64_t{place} << user_data_tag_bits | user_data_cancel);
}

/// By user_data, which the kernel finds in a hash table; by descriptor it would look at every armed
/// operation of the ring. Submissions are taken in order, so a later operation with the same
/// address cannot be hit.
void LinuxRing::stage_cancel(const Completion& op, uint64_t user_data) {
  io_uring_sqe& sqe = kernel_->stage();
  io_uring_prep_cancel64(&sqe, user_data_of(op), 0);
  io_uring_sqe_set_data64(&sqe, user_data);
}

/// The kernel does not find an operation that it is about to try again (poll said ready, the work
/// is queued). Such a one may then wait for ever, so the cancel is repeated until it is found or
/// ends.
void LinuxRing::on_cancel_answered(uint64_t user_data, int32_t result) {
  const auto place = static_cast<uint32_t>(user_data >> user_data_tag_bits);
  Completion* const op = cancels_[place];
  if (op != nullptr && result == -ENOENT) return stage_cancel(*op, user_data);
  if (op != nullptr) clear(*op, in_cancels);
  cancels_[place] = nullptr;
  cancels_free_.push_back(place);
}

// --- submissions ---------------------------------------------------------------------------------

void LinuxRing::stage_wake_poll() {
  io_uring_sqe& sqe = kernel_->stage();
  io_uring_prep_poll_multishot(&sqe, waker_->handle(), POLLIN);
  io_uring_sqe_set_data64(&sqe, user_data_wake);
}

void LinuxRing::submit_accept(Completion& op) {
  admit(op, op.socket().handle);
  stage_accept(op);
}

void LinuxRing::stage_accept(Completion& op) {
  io_uring_sqe& sqe = kernel_->stage();
  io_uring_prep_multishot_accept(&sqe, op.progress.file, nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(&sqe, user_data_of(op));
  set(op, in_kernel);
}

void LinuxRing::submit_connect(Completion& op, const Address& to) {
  const int32_t descriptor = open_socket_to(to, 0);
  if (descriptor < 0) {
    admit(op, -1);
    return finish_next_turn(op, descriptor);
  }
  admit(op, descriptor);
  auto address = std::make_unique<SocketAddress>(to);
  io_uring_sqe& sqe = kernel_->stage();
  io_uring_prep_connect(&sqe, descriptor, address->data(), address->size);
  io_uring_sqe_set_data64(&sqe, user_data_of(op));
  set(op, in_kernel);
  state_of(descriptor).connecting = std::move(address);
}

void LinuxRing::submit_receive(Completion& op, ReceiveGroup group) {
  admit(op, op.socket().handle);
  op.progress.size = static_cast<uint32_t>(group);
  stage_receive(op);
}

void LinuxRing::stage_receive(Completion& op) {
  io_uring_sqe& sqe = kernel_->stage();
  io_uring_prep_recv_multishot(&sqe, op.progress.file, nullptr, 0, 0);
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = groups_[op.progress.size].buffers->id();
  io_uring_sqe_set_data64(&sqe, user_data_of(op));
  set(op, in_kernel);
}

void LinuxRing::submit_send(Completion& op, Bytes bytes) {
  RINGPOST_ASSERT(bytes.size() <= std::numeric_limits<int32_t>::max());
  admit(op, op.socket().handle);
  op.progress.data = bytes.data();
  op.progress.size = static_cast<uint32_t>(bytes.size());
  if (bytes.empty()) return finish_next_turn(op, 0);
  stage_send(op);
}

void LinuxRing::stage_send(Completion& op) {
  const uint32_t left = std::min(op.progress.size - op.progress.done, transfer_bytes_max);
  io_uring_sqe& sqe = kernel_->stage();
  io_uring_prep_send(&sqe, op.progress.file, op.progress.data + op.progress.done, left,
                     MSG_WAITALL | MSG_NOSIGNAL);
  io_uring_sqe_set_data64(&sqe, user_data_of(op));
  set(op, in_kernel);
}

void LinuxRing::submit_write(Completion& op, File file, uint64_t offset, Bytes bytes) {
  RINGPOST_ASSERT(file.valid());
  RINGPOST_ASSERT(bytes.size() <= std::numeric_limits<int32_t>::max());
  admit(op, -1);
  op.progress.file = file.handle;
  op.progress.offset = offset;
  op.progress.data = bytes.data();
  op.progress.size = static_cast<uint32_t>(bytes.size());
  if (bytes.empty()) return finish_next_turn(op, 0);
  stage_write(op);
}

void LinuxRing::stage_write(Completion& op) {
  const uint32_t left = std::min(op.progress.size - op.progress.done, transfer_bytes_max);
  io_uring_sqe& sqe = kernel_->stage();
  io_uring_prep_write(&sqe, op.progress.file, op.progress.data + op.progress.done, left,
                      op.progress.offset + op.progress.done);
  io_uring_sqe_set_data64(&sqe, user_data_of(op));
  set(op, in_kernel);
}

void LinuxRing::submit_read(Completion& op, File file, uint64_t offset, MutableBytes into) {
  RINGPOST_ASSERT(file.valid());
  RINGPOST_ASSERT(!into.empty());
  RINGPOST_ASSERT(into.size() <= std::numeric_limits<int32_t>::max());
  admit(op, -1);
  op.progress.file = file.handle;
  op.progress.offset = offset;
  op.progress.data = into.data();
  op.progress.size = static_cast<uint32_t>(into.size());
  stage_read(op);
}

void LinuxRing::stage_read(Completion& op) {
  const uint32_t left = std::min(op.progress.size - op.progress.done, transfer_bytes_max);
  io_uring_sqe& sqe = kernel_->stage();
  // submit_read had it as bytes that may change.
  auto* into = const_cast<std::byte*>(op.progress.data);  // NOLINT
  io_uring_prep_read(&sqe, op.progress.file, into + op.progress.done, left,
                     op.progress.offset + op.progress.done);
  io_uring_sqe_set_data64(&sqe, user_data_of(op));
  set(op, in_kernel);
}

void LinuxRing::submit_close(Completion& op) {
  op.progress = {};
  op.progress.file = op.socket().handle;
  ++pending_count_;
  SocketState& state = state_of(op.progress.file);
  RINGPOST_ASSERT(state.closer == nullptr);
  state.closer = &op;
  for (Completion* each = state.first; each != nullptr; each = each->progress.next) cancel(*each);
  close_if_idle(op.progress.file);
}

// --- completions ---------------------------------------------------------------------------------

void LinuxRing::run_completions() {
  // No further than what is there now: what handlers cause meanwhile belongs to the next turn.
  uint32_t left = kernel_->ready();
  while (left > 0) {
    // Moved out first: the queue has room again before any handler submits.
    KernelRing::Posted batch[batch_size];
    const uint32_t count = kernel_->take({batch, std::min(left, batch_size)});
    for (const KernelRing::Posted& posted : std::span{batch, count}) {
      on_posted(posted.user_data, posted.result, posted.flags);
    }
    for (Group& group : groups_) group.buffers->publish();
    left -= count;
  }
}

void LinuxRing::on_posted(uint64_t user_data, int32_t result, uint32_t flags) {
  const bool ended = (flags & IORING_CQE_F_MORE) == 0;
  if (user_data == user_data_wake) {
    if (ended) stage_wake_poll();
    return;
  }
  if (user_data == user_data_ignored) return;
  if ((user_data & user_data_tag_mask) == user_data_cancel) {
    return on_cancel_answered(user_data, result);
  }
  Completion& op = *reinterpret_cast<Completion*>(user_data);  // NOLINT(performance-no-int-to-ptr)
  RINGPOST_ASSERT(is(op, in_kernel));
  if (ended) clear(op, in_kernel);
  switch (op.operation()) {
    case Completion::Operation::accept: return on_accept(op, result, ended);
    case Completion::Operation::connect: return on_connect(op, result);
    case Completion::Operation::receive: return on_receive(op, result, flags);
    case Completion::Operation::send:
    case Completion::Operation::write:
    case Completion::Operation::read: return on_transfer(op, result);
    case Completion::Operation::close:
    case Completion::Operation::none: break;  // Never given to the kernel.
  }
  RINGPOST_UNREACHABLE();
}

void LinuxRing::on_accept(Completion& op, int32_t result, bool ended) {
  if (result >= 0) op.complete({.result = result, .more = true});
  if (!ended) return;
  // The handler may have cancelled just now. Else multishot gave up for its own reasons.
  if (is(op, cancelled)) return finish(op, -ECANCELED);
  if (result >= 0 || concerns_one_connection(-result)) return stage_accept(op);
  if (is_shortage(-result)) return pause_accept(op);
  finish(op, result);
}

void LinuxRing::on_connect(Completion& op, int32_t result) {
  const int32_t descriptor = op.progress.file;
  state_of(descriptor).connecting.reset();
  if (result == 0 && !is(op, cancelled)) return finish(op, descriptor);
  const int32_t failure = is(op, cancelled) ? -ECANCELED : result;
  retire(op);
  ::close(descriptor);
  op.complete({.result = failure});
}

void LinuxRing::on_receive(Completion& op, int32_t result, uint32_t flags) {
  if ((flags & IORING_CQE_F_BUFFER) != 0) {
    BufferGroup& buffers = *groups_[op.progress.size].buffers;
    const auto buffer = static_cast<uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
    if (result > 0) {
      const Bytes bytes = buffers.lend(buffer, static_cast<uint32_t>(result));
      op.complete({.result = result, .more = true, .bytes = bytes});
    }
    buffers.give_back(buffer);
  }
  if ((flags & IORING_CQE_F_MORE) != 0) return;
  if (result == 0) return finish(op, 0);
  const bool goes_on = result > 0 || result == -ENOBUFS || result == -EINTR || result == -EAGAIN;
  if (!goes_on) return finish(op, result);
  if (is(op, cancelled)) return finish(op, -ECANCELED);
  if (result == -ENOBUFS) return starve(op);
  stage_receive(op);
}

namespace {

int errno_of_transfer(const Completion& op, int errno_value) {
  if (op.operation() != Completion::Operation::write) return errno_value;
  return errno_of_write(errno_value, op.progress.offset + op.progress.size);
}

}  // namespace

/// Sends, writes and reads: goes on after a short one.
void LinuxRing::on_transfer(Completion& op, int32_t result) {
  if (result > 0) op.progress.done += static_cast<uint32_t>(result);
  if (op.progress.done == op.progress.size) {
    return finish(op, static_cast<int32_t>(op.progress.size));
  }
  const bool reads = op.operation() == Completion::Operation::read;
  if (result == 0 && reads) return finish(op, static_cast<int32_t>(op.progress.done));
  if (result == 0) return finish(op, -EIO);  // No progress and no reason: do not go round for ever.
  if (result < 0 && result != -EINTR) return finish(op, -errno_of_transfer(op, -result));
  if (is(op, cancelled)) return finish(op, -ECANCELED);
  if (reads) return stage_read(op);
  op.operation() == Completion::Operation::send ? stage_send(op) : stage_write(op);
}

void LinuxRing::run_local_ends() {
  std::swap(local_ends_, local_ends_running_);
  for (const LocalEnd& end : local_ends_running_) {
    clear(*end.op, in_local_ends);
    if (end.op->operation() == Completion::Operation::close) {
      end_close(*end.op);
    } else {
      finish(*end.op, end.result);
    }
  }
  local_ends_running_.clear();
}

void LinuxRing::end_close(Completion& op) {
  const int32_t descriptor = op.progress.file;
  SocketState& state = state_of(descriptor);
  RINGPOST_ASSERT(state.first == nullptr);
  state.closer = nullptr;
  --pending_count_;
  // Not through the ring: the number would be free, and taken by the next accept, before we hear.
  ::close(descriptor);
  op.complete({.result = 0});
}

// --- shortages -----------------------------------------------------------------------------------

uint64_t LinuxRing::StarvedQueue::push(Completion& op) {
  entries.push_back(&op);
  ++waiting;
  return first_number + entries.size() - 1;
}

void LinuxRing::StarvedQueue::erase(uint64_t number) {
  entries[number - first_number] = nullptr;
  --waiting;
}

Completion* LinuxRing::StarvedQueue::pop() {
  Completion* op = nullptr;
  while (op == nullptr && !entries.empty()) {
    op = entries.front();
    entries.pop_front();
    ++first_number;
  }
  if (op != nullptr) --waiting;
  return op;
}

void LinuxRing::starve(Completion& op) {
  ++statistics_.starvations;
  Group& group = groups_[op.progress.size];
  group.shortage = true;
  op.progress.offset = group.starved.push(op);
  set(op, in_starved_queue);
}

/// Handlers have run and every buffer that we know of is back, more than the quarter of the group
/// that makes going on worth while. A receive on an empty group fails at once, so no more of them
/// go on than there are buffers; the others follow in the next turns, which do not sleep.
void LinuxRing::feed_starved() {
  for (Group& group : groups_) {
    if (std::exchange(group.shortage, false)) {
      group.buffers->grow();
      group.buffers->publish();
    }
    for (uint32_t count = 0; count < group.buffers->circulating(); ++count) {
      Completion* op = group.starved.pop();
      if (op == nullptr) break;
      clear(*op, in_starved_queue);
      stage_receive(*op);
    }
  }
}

void LinuxRing::pause_accept(Completion& op) {
  ++statistics_.accept_pauses;
  set(op, in_paused_accepts);
  paused_accepts_.push_back(&op);
  if (!accept_pause_.armed()) arm<&LinuxRing::resume_accepts>(*this, accept_pause_, shortage_pause);
}

void LinuxRing::resume_accepts() {
  for (Completion* op : paused_accepts_) {
    clear(*op, in_paused_accepts);
    stage_accept(*op);
  }
  paused_accepts_.clear();
}

// --- the loop ------------------------------------------------------------------------------------

void LinuxRing::turn(bool may_sleep) {
  if (may_sleep && !has_local_work()) {
    sleep_or_submit();
  } else {
    kernel_->submit();
  }
  waker_->acknowledge();
  read_clocks();
  run_completions();
  run_local_ends();
  timers_.expire(now_);
  feed_starved();
}

bool LinuxRing::has_local_work() const {
  return !local_ends_.empty() || groups_[0].starved.waiting > 0 || groups_[1].starved.waiting > 0;
}

void LinuxRing::sleep_or_submit() {
  if (spin_finds_work() || kernel_->completions_at_hand()) return kernel_->submit();
  std::optional<Duration> timeout;
  if (const auto due = timers_.next_due()) {
    timeout = *due - read_monotonic();
    if (*timeout <= Duration{0}) return kernel_->submit();
  }
  if (!waker_->try_sleep()) return kernel_->submit();
  ++statistics_.sleeps;
  kernel_->submit_and_wait(timeout);
  waker_->end_sleep();
}

bool LinuxRing::spin_finds_work() {
  if (options_.spin <= Duration{0}) return false;
  kernel_->submit();
  const Instant start = read_monotonic();
  Instant until = start + options_.spin;
  if (const auto due = timers_.next_due()) until = std::min(until, *due);
  while (!waker_->signalled() && read_monotonic() < until) {
    if (kernel_->completions_at_hand()) return true;
  }
  return false;
}

void LinuxRing::read_clocks() {
  now_ = read_monotonic();
  wall_now_ = read_wall_time();
}

}  // namespace ringpost::io
