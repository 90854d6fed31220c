#pragma once

#include "base/prng.h"
#include "io/ring.h"
#include "sim/network.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

namespace ringpost::sim {

/// The simulated ring of one shard: the contract of io::Ring over the world's network, disk and
/// clock. All rings of a world live in one thread.
///
/// A ring whose actor the world runs never sleeps: `turn` returns, and the world runs the actor
/// again when there is something for it. A ring without an actor may sleep in `turn(true)`, which
/// steps the world; tests of single parts use that.
class Ring final : public io::Ring, private SocketUser {
 public:
  static constexpr size_t receive_bytes_ingress = 16 * 1024;  ///< Largest single receive.
  static constexpr size_t receive_bytes_reply = 4 * 1024;

  Ring(World& world, uint64_t seed);
  ~Ring() override;

  Prng& random() override { return prng_; }

  Result<io::Socket> listen(const io::Address& at, const io::ListenOptions& options) override;
  Result<io::Address> local_address(io::Socket socket) override;
  Result<io::Address> peer_address(io::Socket socket) override;
  void shutdown_send(io::Socket socket) override;
  uint64_t unacknowledged_bytes(io::Socket socket) override;
  void cancel(io::Completion& op) override;

  void turn(bool may_sleep) override;
  io::Waker& waker() override { return waker_; }
  uint32_t pending_count() const override { return pending_count_; }

  /// Of a dead ring: forgets all pending operations without running their handlers, so that their
  /// completions and whoever owns them may be destroyed. Timers are disarmed by their destruction.
  void abandon_all();

  // --- for the world ----------------------------------------------------------------------------

  /// Something waits for the next turn, other than a timer.
  bool ready() const { return woken_ || !ready_.empty(); }
  std::optional<Instant> next_timer() const { return timers_.next_due(); }
  uint64_t seat() const { return seat_; }
  void set_seat(uint64_t seat) { seat_ = seat; }
  /// Between turns: `now()` is the world's, for a test that acts outside of a turn.
  void refresh_clock() {
    now_ = std::max(now_, world_.now());
    wall_now_ = world_.wall_now();
  }
  /// The process crashed: from now on this ring reaches nothing (World::crash).
  void die();
  /// From the disk: a durable write ended.
  void on_transferred(io::Completion& op, int32_t result);

 private:
  /// What is pending on one socket.
  struct SocketOps {
    io::Completion* input = nullptr;  // Accept or receive.
    io::Completion* send = nullptr;
    io::Completion* close = nullptr;
    size_t receive_bytes_max = 0;

    bool busy() const { return input != nullptr || send != nullptr; }
  };

  class RingWaker final : public io::Waker {
   public:
    explicit RingWaker(Ring& ring) : ring_(ring) {}
    void wake() override;

   private:
    Ring& ring_;
  };

  void submit_accept(io::Completion& op) override;
  void submit_connect(io::Completion& op, const io::Address& to) override;
  void submit_receive(io::Completion& op, io::ReceiveGroup group) override;
  void submit_send(io::Completion& op, Bytes bytes) override;
  void submit_close(io::Completion& op) override;
  void submit_write(io::Completion& op, io::File file, uint64_t offset, Bytes bytes) override;
  void submit_read(io::Completion& op, io::File file, uint64_t offset, MutableBytes into) override;

  void on_acceptable(int32_t listener) override;
  void on_connected(uint64_t token, int32_t result) override;
  void on_readable(int32_t handle) override;
  void on_writable(int32_t handle) override;

  void enlist(io::Completion& op);
  void queue(io::Completion& op);
  void queue_later(io::Completion& op, Duration delay);
  void end_with(io::Completion& op, int32_t result);
  void cancel_and_queue(io::Completion* op);
  void finish(io::Completion& op, int32_t result);
  void unlist(io::Completion& op);

  void deliver(io::Completion& op);
  void deliver_accept(io::Completion& op);
  void deliver_receive(io::Completion& op);
  void deliver_close(io::Completion& op);
  void deliver_dead(io::Completion& op);
  void lend_received(io::Completion& op);
  void pump_send(io::Completion& op);
  SocketOps& ops_of(io::Socket socket);
  SocketOps* find_ops(int32_t handle);

  World& world_;
  Prng prng_;
  RingWaker waker_{*this};
  const std::shared_ptr<Ring*> life_ = std::make_shared<Ring*>(this);  // What delayed looks watch.
  uint64_t seat_ = 0;
  bool woken_ = false;
  bool dead_ = false;
  bool in_turn_ = false;
  uint32_t pending_count_ = 0;
  io::Completion* first_pending_ = nullptr;  // All of them, through Progress::next.
  std::deque<io::Completion*> ready_;        // What the next turn looks at, each at most once.
  std::unordered_map<int32_t, SocketOps> sockets_;
  std::unordered_map<uint64_t, io::Completion*> connecting_;  // By the network's token.
};

}  // namespace ringpost::sim
