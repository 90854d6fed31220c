#include "sim/ring.h"

#include "base/assert.h"
#include "sim/disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace ringpost::sim {

using io::Completion;
using Operation = io::Completion::Operation;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

// Completion::Progress::flags, as this ring uses them. `offset` holds the result or the token.
constexpr uint8_t flag_queued = 1;     // Stands in ready_.
constexpr uint8_t flag_cancelled = 2;  // Ends with -ECANCELED unless it ended before.
constexpr uint8_t flag_ended = 4;      // `offset` is its result.
constexpr uint8_t flag_waiting = 8;    // A delayed look at it is scheduled.

}  // namespace

Ring::Ring(World& world, uint64_t seed) : world_(world), prng_(seed) {
  now_ = world_.now();
  wall_now_ = world_.wall_now();
}

Ring::~Ring() {
  RINGPOST_ASSERT(pending_count_ == 0);
  world_.network().drop_user(*this);
}

void Ring::RingWaker::wake() {
  ring_.woken_ = true;
  ring_.world_.notify(ring_);
}

// --- pending operations --------------------------------------------------------------------------

void Ring::enlist(Completion& op) {
  op.progress = {};
  op.progress.next = first_pending_;
  if (first_pending_ != nullptr) first_pending_->progress.previous = &op;
  first_pending_ = &op;
  ++pending_count_;
  if (dead_) queue(op);
}

void Ring::unlist(Completion& op) {
  auto& progress = op.progress;
  RINGPOST_ASSERT((progress.flags & flag_queued) == 0);
  if (progress.previous != nullptr) progress.previous->progress.next = progress.next;
  if (progress.next != nullptr) progress.next->progress.previous = progress.previous;
  if (first_pending_ == &op) first_pending_ = progress.next;
  progress.next = progress.previous = nullptr;
  --pending_count_;
}

void Ring::queue(Completion& op) {
  if ((op.progress.flags & flag_queued) != 0) return;
  op.progress.flags |= flag_queued;
  ready_.push_back(&op);
  world_.notify(*this);
}

/// Looks at an accept or receive after `delay`. The socket names it: the operation may be over by
/// then, and another one may be in its place, which a look does not harm.
void Ring::queue_later(Completion& op, Duration delay) {
  op.progress.flags |= flag_waiting;
  const auto look = [this, handle = op.socket().handle, life = std::weak_ptr<Ring*>(life_)] {
    if (life.expired()) return;  // The ring was removed in the meantime.
    SocketOps* ops = find_ops(handle);
    if (ops == nullptr || ops->input == nullptr) return;
    ops->input->progress.flags &= static_cast<uint8_t>(~flag_waiting);
    queue(*ops->input);
  };
  world_.schedule(world_.now() + delay, World::Kind::ring, look);
}

void Ring::end_with(Completion& op, int32_t result) {
  if ((op.progress.flags & flag_ended) != 0) return;
  op.progress.flags |= flag_ended;
  op.progress.offset = static_cast<uint64_t>(int64_t{result});
  queue(op);
}

/// Takes the operation off all books, then runs its handler for the last time.
void Ring::finish(Completion& op, int32_t result) {
  unlist(op);
  if (const auto found = sockets_.find(op.socket().handle); found != sockets_.end()) {
    SocketOps& ops = found->second;
    if (ops.input == &op) ops.input = nullptr;
    if (ops.send == &op) ops.send = nullptr;
    if (!ops.busy() && ops.close == nullptr) sockets_.erase(found);
  }
  op.complete({.result = result});
}

Ring::SocketOps& Ring::ops_of(io::Socket socket) {
  RINGPOST_ASSERT(dead_ || world_.network().exists(socket.handle));
  SocketOps& ops = sockets_[socket.handle];
  RINGPOST_ASSERT(ops.close == nullptr);  // Nothing is submitted on a socket that is being closed.
  return ops;
}

Ring::SocketOps* Ring::find_ops(int32_t handle) {
  const auto found = sockets_.find(handle);
  return found == sockets_.end() ? nullptr : &found->second;
}

void Ring::cancel(Completion& op) {
  if (!op.pending()) return;
  switch (op.operation()) {
    case Operation::connect: {
      const uint64_t token = op.progress.offset;
      if ((op.progress.flags & flag_ended) != 0 || connecting_.erase(token) == 0) return;
      world_.network().cancel_connect(token);
      return end_with(op, -ECANCELED);
    }
    case Operation::accept:
    case Operation::receive:
    case Operation::send: return cancel_and_queue(&op);
    case Operation::write:  // The disk has it: it ends by itself.
    case Operation::read:
    case Operation::close:
    case Operation::none: return;
  }
}

void Ring::cancel_and_queue(Completion* op) {
  if (op == nullptr) return;
  op->progress.flags |= flag_cancelled;
  queue(*op);
}

// --- the loop ------------------------------------------------------------------------------------

void Ring::turn(bool may_sleep) {
  RINGPOST_ASSERT(!in_turn_);
  if (seat_ == 0 && !dead_) world_.pass_time(*this, may_sleep);
  in_turn_ = true;
  woken_ = false;
  now_ = std::max(now_, world_.now());
  if (may_sleep && dead_ && ready_.empty()) {
    // A dead ring's time is its own: whoever shuts down in order may wait for its timers.
    if (const auto timer = next_timer()) now_ = std::max(now_, *timer) + io::TimerWheel::tick;
  }
  wall_now_ = world_.wall_now();
  // Only what is ready at the start: what handlers cause belongs to the next turn.
  for (size_t count = ready_.size(); count > 0 && !ready_.empty(); --count) {
    Completion& op = *ready_.front();
    ready_.pop_front();
    op.progress.flags &= static_cast<uint8_t>(~flag_queued);
    deliver(op);
  }
  timers_.expire(now_);
  in_turn_ = false;
}

void Ring::deliver(Completion& op) {
  if (dead_) return deliver_dead(op);
  switch (op.operation()) {
    case Operation::accept: return deliver_accept(op);
    case Operation::receive: return deliver_receive(op);
    case Operation::close: return deliver_close(op);
    case Operation::send:
      if ((op.progress.flags & flag_ended) == 0) return finish(op, -ECANCELED);
      [[fallthrough]];
    case Operation::connect:
    case Operation::write:
    case Operation::read:
      RINGPOST_ASSERT((op.progress.flags & flag_ended) != 0);
      return finish(op, static_cast<int32_t>(static_cast<int64_t>(op.progress.offset)));
    case Operation::none: RINGPOST_UNREACHABLE();
  }
}

void Ring::deliver_accept(Completion& op) {
  if ((op.progress.flags & flag_cancelled) != 0) return finish(op, -ECANCELED);
  if ((op.progress.flags & flag_waiting) != 0) return;
  const auto handle = world_.network().accept(op.socket().handle, *this);
  if (!handle) return;
  queue(op);  // Perhaps another one waits.
  op.complete({.result = *handle, .more = true});
}

void Ring::deliver_receive(Completion& op) {
  const int32_t handle = op.socket().handle;
  const size_t readable = world_.network().readable_bytes(handle);
  if ((op.progress.flags & flag_cancelled) != 0) {
    // The cancellation races with what had arrived.
    if (readable == 0 || prng_.chance(1, 2)) return finish(op, -ECANCELED);
    return lend_received(op);
  }
  if ((op.progress.flags & flag_waiting) != 0) return;
  if (readable > 0) return lend_received(op);
  const auto end = world_.network().end_of_stream(handle);
  if (end) finish(op, *end);
}

void Ring::lend_received(Completion& op) {
  const int32_t handle = op.socket().handle;
  size_t size =
      std::min(world_.network().readable_bytes(handle), find_ops(handle)->receive_bytes_max);
  if (world_.chance(world_.faults().short_receive)) size = prng_.between(1, size);
  // A block of exactly this size that dies with the call: AddressSanitizer sees who keeps it.
  const std::string bytes = world_.network().read(handle, size);
  const auto lent = std::make_unique<std::byte[]>(bytes.size());
  std::memcpy(lent.get(), bytes.data(), bytes.size());
  queue(op);  // More bytes, the stream's end, or the end of a cancelled receive.
  op.complete({.result = static_cast<int32_t>(bytes.size()),
               .more = true,
               .bytes = {lent.get(), bytes.size()}});
  std::memset(lent.get(), 0xdb, bytes.size());
}

void Ring::deliver_close(Completion& op) {
  const int32_t handle = op.socket().handle;
  if (find_ops(handle)->busy()) return queue(op);
  sockets_.erase(handle);
  world_.network().close(handle);
  finish(op, 0);
}

void Ring::deliver_dead(Completion& op) {
  if (op.operation() != Operation::close) return finish(op, -ECANCELED);
  if (const SocketOps* ops = find_ops(op.socket().handle)) {
    if (ops->busy()) return queue(op);
    sockets_.erase(op.socket().handle);
  }
  finish(op, 0);
}

// --- sockets -------------------------------------------------------------------------------------

Result<io::Socket> Ring::listen(const io::Address& at, const io::ListenOptions& options) {
  if (dead_) return Error{Errc::io_failed, Side::self, EIO};
  const auto handle = world_.network().listen(at, options, *this, Owner::process);
  if (!handle) return handle.error();
  return io::Socket{*handle};
}

Result<io::Address> Ring::local_address(io::Socket socket) {
  if (dead_) return Error{Errc::closed};
  return world_.network().local_address(socket.handle);
}

Result<io::Address> Ring::peer_address(io::Socket socket) {
  if (dead_) return Error{Errc::closed};
  return world_.network().peer_address(socket.handle);
}

void Ring::shutdown_send(io::Socket socket) {
  if (!dead_) world_.network().shutdown_send(socket.handle);
}

uint64_t Ring::unacknowledged_bytes(io::Socket socket) {
  return dead_ ? 0 : world_.network().unacknowledged_bytes(socket.handle);
}

void Ring::submit_accept(Completion& op) {
  SocketOps& ops = ops_of(op.socket());
  RINGPOST_ASSERT(ops.input == nullptr);
  ops.input = &op;
  enlist(op);
  queue(op);
}

void Ring::on_acceptable(int32_t listener) {
  SocketOps* ops = find_ops(listener);
  if (ops == nullptr || ops->input == nullptr) return;
  if (world_.chance(world_.faults().late_accept)) {
    return queue_later(*ops->input, world_.between({}, milliseconds{50}));
  }
  queue(*ops->input);
}

void Ring::submit_connect(Completion& op, const io::Address& to) {
  enlist(op);
  if (dead_) return;
  op.progress.offset = world_.network().connect(to, *this, Owner::process);
  connecting_.emplace(op.progress.offset, &op);
}

void Ring::on_connected(uint64_t token, int32_t result) {
  const auto found = connecting_.find(token);
  RINGPOST_ASSERT(found != connecting_.end());
  Completion& op = *found->second;
  connecting_.erase(found);
  end_with(op, result);
}

void Ring::submit_receive(Completion& op, io::ReceiveGroup group) {
  SocketOps& ops = ops_of(op.socket());
  RINGPOST_ASSERT(ops.input == nullptr);
  ops.input = &op;
  ops.receive_bytes_max =
      group == io::ReceiveGroup::ingress ? receive_bytes_ingress : receive_bytes_reply;
  enlist(op);
  queue(op);
}

void Ring::on_readable(int32_t handle) {
  SocketOps* ops = find_ops(handle);
  if (ops == nullptr || ops->input == nullptr) return;
  if (world_.chance(world_.faults().starved_receive)) {
    return queue_later(*ops->input, world_.between({}, milliseconds{20}));
  }
  queue(*ops->input);
}

void Ring::submit_send(Completion& op, Bytes bytes) {
  SocketOps& ops = ops_of(op.socket());
  RINGPOST_ASSERT(ops.send == nullptr);  // One send per socket at a time.
  ops.send = &op;
  enlist(op);
  op.progress.data = bytes.data();
  op.progress.size = static_cast<uint32_t>(bytes.size());
  if (!dead_) pump_send(op);
}

/// Writes on where the last write stopped; the operation ends when all is taken.
void Ring::pump_send(Completion& op) {
  auto& progress = op.progress;
  if ((progress.flags & (flag_ended | flag_cancelled)) != 0) return;
  const int64_t taken = world_.network().write(
      op.socket().handle, {progress.data + progress.done, progress.size - progress.done});
  if (taken < 0) return end_with(op, static_cast<int32_t>(taken));
  progress.done += static_cast<uint32_t>(taken);
  if (progress.done == progress.size) end_with(op, static_cast<int32_t>(progress.size));
}

void Ring::on_writable(int32_t handle) {
  SocketOps* ops = find_ops(handle);
  if (ops != nullptr && ops->send != nullptr) pump_send(*ops->send);
}

void Ring::submit_close(Completion& op) {
  SocketOps& ops = ops_of(op.socket());
  ops.close = &op;
  enlist(op);
  cancel_and_queue(ops.input);
  cancel_and_queue(ops.send);
  queue(op);
}

// --- files ---------------------------------------------------------------------------------------

void Ring::submit_write(Completion& op, io::File file, uint64_t offset, Bytes bytes) {
  enlist(op);
  if (!dead_) world_.disk().submit_write(*this, op, file, offset, bytes);
}

void Ring::submit_read(Completion& op, io::File file, uint64_t offset, MutableBytes into) {
  enlist(op);
  if (!dead_) world_.disk().submit_read(*this, op, file, offset, into);
}

void Ring::on_transferred(Completion& op, int32_t result) {
  end_with(op, result);
}

// --- crash ---------------------------------------------------------------------------------------

void Ring::die() {
  RINGPOST_ASSERT(!in_turn_);
  dead_ = true;
  connecting_.clear();
  for (Completion* op = first_pending_; op != nullptr; op = op->progress.next) queue(*op);
}

void Ring::abandon_all() {
  RINGPOST_ASSERT(dead_);
  RINGPOST_ASSERT(!in_turn_);
  ready_.clear();
  sockets_.clear();
  while (first_pending_ != nullptr) {
    Completion& op = *first_pending_;
    op.progress.flags = 0;
    unlist(op);
    op.abandon();
  }
}

}  // namespace ringpost::sim
