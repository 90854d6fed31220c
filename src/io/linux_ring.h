#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "base/result.h"
#include "io/system.h"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace ringpost::io {

class BufferGroup;
class EventWaker;
class KernelRing;
struct SocketAddress;

/// Sizes of a LinuxRing. Counts of buffers are powers of two, at most 32,768.
struct LinuxRingOptions {
  uint32_t sq_entries = 2048;
  /// Multishot operations make many completions of one submission.
  uint32_t cq_entries = 16'384;

  /// One entry of the kernel may run 20 receives of up to 32 buffers each; a webhook fits one.
  uint32_t ingress_buffers = 2048;
  uint32_t ingress_buffer_bytes = 4096;
  uint32_t reply_buffers = 2048;
  uint32_t reply_buffer_bytes = 2048;
  /// Of each group, how many circulate before there is a shortage (buffer_group.h).
  uint32_t buffers_circulating_first = 256;

  /// How long to look for completions before sleeping: saves the 25 us that a sleep and a wake-up
  /// cost, where the CPU is ours alone. 0 sleeps at once.
  Duration spin{0};
};

/// The engine: Ring over io_uring. See src/io/README.md.
///
/// Created, used and destroyed on one thread. Destroy it when `pending_count()` is 0.
class LinuxRing final : public SystemRing {
 public:
  using Options = LinuxRingOptions;

  /// Fails if the kernel cannot or may not give us a ring; explain_setup_failure says it in words.
  static Result<std::unique_ptr<LinuxRing>> create(const Options& options);
  ~LinuxRing() override;

  /// One line for the log: the kernel, the features found, the sizes in use.
  std::string features_text() const;
  void cancel(Completion& op) override;
  void turn(bool may_sleep) override;
  Waker& waker() override;
  uint32_t pending_count() const override { return pending_count_; }
  RingStatistics statistics() const override;

 protected:
  void submit_accept(Completion& op) override;
  void submit_connect(Completion& op, const Address& to) override;
  void submit_receive(Completion& op, ReceiveGroup group) override;
  void submit_send(Completion& op, Bytes bytes) override;
  void submit_close(Completion& op) override;
  void submit_write(Completion& op, File file, uint64_t offset, Bytes bytes) override;
  void submit_read(Completion& op, File file, uint64_t offset, MutableBytes into) override;

 private:
  /// What the ring knows of a socket, found by its descriptor.
  struct SocketState {
    Completion* first = nullptr;   ///< Operations pending on it, linked through their progress.
    Completion* closer = nullptr;  ///< The close that waits for them.
    std::unique_ptr<SocketAddress> connecting;  ///< Where to; the kernel reads it.
  };

  /// Receives that wait for buffers, first come first served. An entry is named by its number, so
  /// that one in the middle can be taken out; it stays as a null.
  struct StarvedQueue {
    std::deque<Completion*> entries;
    uint64_t first_number = 0;
    uint32_t waiting = 0;

    uint64_t push(Completion& op);
    void erase(uint64_t number);
    Completion* pop();
  };

  struct Group {
    std::unique_ptr<BufferGroup> buffers;
    StarvedQueue starved;
    bool shortage = false;  ///< Since the last turn's end.
  };

  /// An operation that ends without the kernel.
  struct LocalEnd {
    Completion* op;
    int32_t result;
  };

  explicit LinuxRing(const Options& options);

  // Registry of what is pending.
  void admit(Completion& op, int32_t descriptor);
  void retire(Completion& op);
  void finish(Completion& op, int32_t result);
  void finish_next_turn(Completion& op, int32_t result);
  void close_if_idle(int32_t descriptor);
  SocketState& state_of(int32_t descriptor);

  // Cancelling.
  void cancel_in_kernel(Completion& op);
  void stage_cancel(const Completion& op, uint64_t user_data);
  void on_cancel_answered(uint64_t user_data, int32_t result);

  // Submissions.
  void stage_accept(Completion& op);
  void stage_receive(Completion& op);
  void stage_send(Completion& op);
  void stage_write(Completion& op);
  void stage_read(Completion& op);
  void stage_wake_poll();

  // Completions.
  void run_completions();
  void on_posted(uint64_t user_data, int32_t result, uint32_t flags);
  void on_accept(Completion& op, int32_t result, bool ended);
  void on_connect(Completion& op, int32_t result);
  void on_receive(Completion& op, int32_t result, uint32_t flags);
  void on_transfer(Completion& op, int32_t result);
  void run_local_ends();
  void end_close(Completion& op);

  // Shortages.
  void starve(Completion& op);
  void feed_starved();
  void pause_accept(Completion& op);
  void resume_accepts();

  // The loop.
  void sleep_or_submit();
  bool spin_finds_work();
  bool has_local_work() const;
  void read_clocks();

  const Options options_;
  std::unique_ptr<KernelRing> kernel_;
  std::unique_ptr<EventWaker> waker_;
  std::array<Group, 2> groups_;  ///< By ReceiveGroup. After kernel_: they leave it first.

  std::vector<SocketState> sockets_;  ///< By descriptor.
  std::vector<LocalEnd> local_ends_;
  std::vector<LocalEnd> local_ends_running_;  ///< The batch at hand; kept for its memory.
  std::vector<Completion*> paused_accepts_;
  /// Operations whose cancel the kernel has not answered; null once they have ended by themselves.
  std::vector<Completion*> cancels_;
  std::vector<uint32_t> cancels_free_;  ///< Places in cancels_.
  Timer accept_pause_;
  uint32_t pending_count_ = 0;
  RingStatistics statistics_;  ///< What the kernel's ring does not count itself.
};

/// One line that says why there is no ring and which kernel or setting is needed.
/// @param error  from LinuxRing::create.
std::string explain_setup_failure(const Error& error);

}  // namespace ringpost::io
