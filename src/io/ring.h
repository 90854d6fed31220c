#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/prng.h"
#include "base/result.h"
#include "io/address.h"
#include "io/completion.h"
#include "io/timer.h"
#include "io/timer_wheel.h"

#include <cstdint>

namespace ringpost::io {

/// Wakes a ring that sleeps. The one part of a ring that other threads may touch.
///
/// No message is missed if both sides keep this order:
/// - a sender pushes its message, then calls `wake`;
/// - the ring's thread looks into its mailboxes after each `turn`, before the next that may sleep.
///
/// A signal lasts until a turn has consumed it: a turn that begins with one does not sleep, and one
/// that comes during a sleep ends it. Both are consumed by that turn, after which the mailboxes are
/// looked into. So a message pushed between that look and the next turn's sleep is found, at the
/// price of a turn without sleep when the look had found it already. What happened before `wake` is
/// visible after the turn that consumed it, also if several senders' signals became one.
class Waker {
 public:
  virtual ~Waker() = default;
  /// From any thread: the ring's next or present sleep ends at once. Cheap if it is awake: no
  /// system call.
  virtual void wake() = 0;
};

struct ListenOptions {
  uint32_t backlog = 4096;
  bool reuse_port = true;     ///< Several shards listen at one IP address.
  bool must_be_free = false;  ///< Fails if anybody listens there already, reuse_port or not.
  uint32_t unix_mode = 0660;  ///< Mode of a Unix socket, from the first instant.
};

/// How a ring does, counted since it was made.
struct RingStatistics {
  uint64_t submissions = 0;    ///< Operations handed to the kernel.
  uint64_t completions = 0;    ///< Completions taken from it.
  uint64_t enters = 0;         ///< System calls: into the kernel's ring, or of the epoll ring.
  uint64_t sleeps = 0;         ///< Turns that waited for the kernel.
  uint64_t starvations = 0;    ///< Receives that found no buffer.
  uint64_t accept_pauses = 0;  ///< Accepts that found no descriptor or memory.
  uint64_t overflows = 0;      ///< Completion queue overflows; anything but 0 is a design fault.
};

/// Which pool of receive buffers a connection draws from (performance-notes: two groups per shard).
enum class ReceiveGroup : uint8_t { ingress, reply };

/// The seam between the engine and the world: clock, randomness, network, durable writes and reads.
/// LinuxRing is the real one (io_uring), EpollRing the one for where io_uring is forbidden
/// (engine.h); tests/sim has one with a virtual clock and faults.
///
/// One ring per shard, built and used on that shard's thread only (but for `waker()`).
///
/// Rules for every operation:
/// - A handler runs from `turn()`, never inside the call that submitted the operation.
/// - Submitting lends the completion and the buffer; the handler gives them back (completion.h).
/// - Every submitted operation ends: with its result, or with -ECANCELED after `cancel`/`close`.
/// - Of the operations pending on a socket at most one is an accept or a receive, and at most one a
///   connect or a send.
class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  virtual ~Ring() = default;

  // --- clock and randomness -------------------------------------------------------------------

  /// The monotonic time at the start of this turn.
  Instant now() const { return now_; }
  /// The wall-clock time at the start of this turn.
  WallTime wall_now() const { return wall_now_; }
  /// Seeded from the system in production and from the run's seed in simulation. Not for secrets.
  virtual Prng& random() = 0;

  // --- timers ---------------------------------------------------------------------------------

  /// Runs `Handler` on `owner` once, not before `delay` has passed since `now()` and at most one
  /// wheel tick (4 ms) later when the ring is not busy. Arming an armed timer moves it.
  template <auto Handler, typename Owner>
  void arm(Owner& owner, Timer& timer, Duration delay) {
    timers_.arm(timer, now_ + delay, &owner,
                [](void* self) { (static_cast<Owner*>(self)->*Handler)(); });
  }
  void disarm(Timer& timer) { timers_.disarm(timer); }

  // --- sockets --------------------------------------------------------------------------------

  /// Opens a listening socket (TCP or Unix). Blocking; at start-up only. A Unix path that a live
  /// process listens on is Errc::conflict; a stale socket file is replaced; any other file is left
  /// alone (Errc::conflict).
  virtual Result<Socket> listen(const Address& address, const ListenOptions& options) = 0;
  /// The address a socket is bound to: with the port the kernel chose.
  virtual Result<Address> local_address(Socket socket) = 0;
  /// The address of the peer of an accepted or connected socket; a Unix peer has an empty path.
  virtual Result<Address> peer_address(Socket socket) = 0;

  /// Accepts until cancelled or closed: the handler runs once per connection with `socket()` and
  /// `more` true. Descriptor shortage is waited out inside (the handler does not hear of it).
  template <auto Handler, typename Owner>
  void accept(Owner& owner, Completion& op, Socket listener) {
    op.begin(Completion::Operation::accept, listener, &owner, thunk<Handler, Owner>());
    submit_accept(op);
  }

  /// Opens a socket and connects it. The handler gets `socket()` of the connected socket, which it
  /// now owns, or an error. TCP_NODELAY is set.
  template <auto Handler, typename Owner>
  void connect(Owner& owner, Completion& op, const Address& to) {
    op.begin(Completion::Operation::connect, Socket{}, &owner, thunk<Handler, Owner>());
    submit_connect(op, to);
  }

  /// Receives until the stream ends, breaks or the operation is cancelled: the handler runs with
  /// `bytes` (lent until it returns) and `more` true. The last call has `more` false: result 0 for
  /// the peer's end of stream, or an error. Buffer shortage is waited out inside: a starved
  /// connection receives again when its group is 25 % free.
  template <auto Handler, typename Owner>
  void receive(Owner& owner, Completion& op, Socket socket, ReceiveGroup group) {
    op.begin(Completion::Operation::receive, socket, &owner, thunk<Handler, Owner>());
    submit_receive(op, group);
  }

  /// Sends all of `bytes` (short sends are continued inside). One send per socket at a time.
  /// `bytes` stay lent until the handler runs, with the size sent or an error.
  template <auto Handler, typename Owner>
  void send(Owner& owner, Completion& op, Socket socket, Bytes bytes) {
    op.begin(Completion::Operation::send, socket, &owner, thunk<Handler, Owner>());
    submit_send(op, bytes);
  }

  /// Ends our direction of the stream; the peer reads end of stream after what was sent. Not while
  /// a send is pending on the socket: that would be cut off.
  virtual void shutdown_send(Socket socket) = 0;

  /// Asks for the end of `op`. Its handler still runs, with what had happened or -ECANCELED. A
  /// completion that is not pending is left alone, and so is a close. A connect that had succeeded
  /// meanwhile ends with -ECANCELED all the same, its socket closed.
  virtual void cancel(Completion& op) = 0;

  /// Cancels whatever is pending on `socket`, waits for it, then closes the socket. The handlers of
  /// the pending operations run first, then this one, always with result 0. `op` must be another
  /// completion than theirs.
  template <auto Handler, typename Owner>
  void close(Owner& owner, Completion& op, Socket socket) {
    op.begin(Completion::Operation::close, socket, &owner, thunk<Handler, Owner>());
    submit_close(op);
  }

  /// Bytes given to `send` that the peer's system has not acknowledged; 0 if nobody can say. When
  /// the peer has ended its stream, what is still unacknowledged never reached its reader; a reset
  /// proves nothing, it may come instead of an acknowledgement. Costs a system call.
  virtual uint64_t unacknowledged_bytes(Socket socket) = 0;

  // --- files ----------------------------------------------------------------------------------

  /// Writes all of `bytes` at `offset`, durably: when the handler runs with the size, the bytes are
  /// on stable storage. The file was opened by Disk::open_journal; `offset`, size and address of
  /// `bytes` are multiples of 4,096. Short writes are continued inside. Several writes may be in
  /// flight on one file; they may end in any order.
  template <auto Handler, typename Owner>
  void write(Owner& owner, Completion& op, File file, uint64_t offset, Bytes bytes) {
    op.begin(Completion::Operation::write, Socket{}, &owner, thunk<Handler, Owner>());
    submit_write(op, file, offset, bytes);
  }

  /// Reads `into.size()` bytes at `offset`; the handler gets fewer only at the end of the file. The
  /// file was opened by Disk::open_journal; `offset`, size and address are multiples of 4,096.
  template <auto Handler, typename Owner>
  void read(Owner& owner, Completion& op, File file, uint64_t offset, MutableBytes into) {
    op.begin(Completion::Operation::read, Socket{}, &owner, thunk<Handler, Owner>());
    submit_read(op, file, offset, into);
  }

  // --- the loop -------------------------------------------------------------------------------

  /// One turn: submits what was staged, waits if nothing is at hand, runs the handlers of what
  /// ended and of the timers that are due.
  /// @param may_sleep  false if the caller has other work to do.
  virtual void turn(bool may_sleep) = 0;

  /// For other threads. Lives as long as the ring.
  virtual Waker& waker() = 0;

  /// Operations that have not ended: 0 when the ring may be destroyed.
  virtual uint32_t pending_count() const = 0;

  /// Zeros where there is no kernel to count for. Cheap: a shard asks each turn.
  virtual RingStatistics statistics() const { return {}; }

 protected:
  virtual void submit_accept(Completion& op) = 0;
  virtual void submit_connect(Completion& op, const Address& to) = 0;
  virtual void submit_receive(Completion& op, ReceiveGroup group) = 0;
  virtual void submit_send(Completion& op, Bytes bytes) = 0;
  virtual void submit_close(Completion& op) = 0;
  virtual void submit_write(Completion& op, File file, uint64_t offset, Bytes bytes) = 0;
  virtual void submit_read(Completion& op, File file, uint64_t offset, MutableBytes into) = 0;

  Instant now_{};
  WallTime wall_now_{};
  TimerWheel timers_;

 private:
  template <auto Handler, typename Owner>
  static Completion::Handler thunk() {
    return [](void* owner, const Outcome& outcome) {
      (static_cast<Owner*>(owner)->*Handler)(outcome);
    };
  }
};

}  // namespace ringpost::io
