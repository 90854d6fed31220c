#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "base/result.h"
#include "io/engine.h"
#include "io/file_threads.h"
#include "io/system.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/epoll.h>
#include <sys/types.h>
#include <vector>

namespace ringpost::io {

class EventWaker;
struct SocketAddress;

struct EpollRingOptions {
  /// One buffer serves all receives: each is handed over before the next. It holds a TLS record.
  uint32_t receive_bytes = 16 * 1024;
  /// For writes and reads of files; 0: none of them are made.
  uint32_t file_threads = file_threads_of_ring;
};

/// Ring over epoll and a few threads, for where the kernel refuses io_uring. See src/io/README.md.
///
/// What a handler is told means the same as with LinuxRing; so does a write's end. Where the kernel
/// lacks epoll_pwait2 (before 5.11) or it is forbidden, timers run up to a millisecond later.
///
/// Created, used and destroyed on one thread. Destroy it when `pending_count()` is 0.
class EpollRing final : public SystemRing {
 public:
  using Options = EpollRingOptions;

  /// Fails for lack of descriptors, memory or threads; explain_epoll_failure says it in words.
  static Result<std::unique_ptr<EpollRing>> create(const Options& options);
  ~EpollRing() override;

  /// One line for the log: the kernel and the sizes in use.
  std::string features_text() const;
  void cancel(Completion& op) override;
  void turn(bool may_sleep) override;
  Waker& waker() override;
  uint32_t pending_count() const override { return pending_count_; }
  RingStatistics statistics() const override { return statistics_; }

 protected:
  void submit_accept(Completion& op) override;
  void submit_connect(Completion& op, const Address& to) override;
  void submit_receive(Completion& op, ReceiveGroup group) override;
  void submit_send(Completion& op, Bytes bytes) override;
  void submit_close(Completion& op) override;
  void submit_write(Completion& op, File file, uint64_t offset, Bytes bytes) override;
  void submit_read(Completion& op, File file, uint64_t offset, MutableBytes into) override;

 private:
  /// What the ring knows of a socket, found by its descriptor. It is registered with epoll once,
  /// for edges of everything, until it is closed.
  struct SocketState {
    Completion* reader = nullptr;  ///< Pending accept or receive.
    Completion* writer = nullptr;  ///< Pending connect or send.
    Completion* closer = nullptr;  ///< The close that waits for them.
    uint32_t generation = 0;       ///< Of the descriptor: tells late events of a closed one.
    bool registered = false;
    /// A receive that does not fill its buffer has taken all there is, until the next edge. Not
    /// for Unix sockets, where a passed descriptor ends a receive early.
    bool short_is_all = false;
    bool read_to_end = false;  ///< More than bytes was announced: an end, an error.
    std::unique_ptr<SocketAddress> connecting;  ///< A Unix connect that waits for room.
  };

  /// An operation whose result is known.
  struct LocalEnd {
    Completion* op;
    int32_t result;
  };

  explicit EpollRing(const Options& options);

  // Registry of what is pending.
  SocketState& state_of(int32_t descriptor);
  void admit(Completion& op, int32_t descriptor);
  void admit_file(Completion& op, File file, uint64_t offset, Bytes bytes);
  void retire(Completion& op);
  void finish(Completion& op, int32_t result);
  void finish_next_turn(Completion& op, int32_t result);
  void tell_more(Completion& op, int32_t result, Bytes bytes = {});
  void close_if_idle(int32_t descriptor);
  void close_descriptor(int32_t descriptor);

  // Waiting for a socket.
  int32_t ensure_registered(int32_t descriptor);
  void wait_at_socket(Completion& op);
  void queue(Completion& op);
  void make_ready(Completion* op);
  void pause(Completion& op);
  void resume_paused();

  // Operations.
  void go_on(Completion& op);
  void go_on_accepting(Completion& op);
  void start_connect(Completion& op, SocketAddress& address);
  void go_on_connecting(Completion& op);
  void go_on_receiving(Completion& op);
  void go_on_sending(Completion& op);
  std::optional<int32_t> send_now(Completion& op);
  void end_close(Completion& op);

  // The loop.
  uint32_t wait_for_events(bool may_sleep);
  uint32_t sleep();
  uint32_t enter(std::optional<Duration> timeout);
  void on_event(const epoll_event& event);
  void run_ready();
  void run_files();
  void run_local_ends();
  void read_clocks();

  const Options options_;
  std::unique_ptr<EventWaker> waker_;
  std::unique_ptr<FileThreads> files_;  ///< After waker_, which it wakes. Null: none.
  int epoll_ = -1;
  bool precise_ = true;  ///< The kernel knows epoll_pwait2 (Linux 5.11).
  std::vector<epoll_event> events_;
  std::unique_ptr<std::byte[]> buffer_;  ///< Receives go through it, one after the other.

  std::vector<SocketState> sockets_;  ///< By descriptor.
  std::vector<Completion*>
      ready_;  ///< To be tried, in this order: submitted, or woken by an event.
  std::vector<LocalEnd> local_ends_;
  std::vector<Completion*> paused_;  ///< Accepts and connects that wait for the end of a shortage.
  Timer pause_;
  // The batches at hand; kept for their memory.
  std::vector<Completion*> ready_running_;
  std::vector<LocalEnd> local_ends_running_;
  uint32_t pending_count_ = 0;
  RingStatistics statistics_;
};

/// One line that says why there is no EpollRing and how to mend it.
/// @param error  from EpollRing::create.
std::string explain_epoll_failure(const Error& error);

}  // namespace ringpost::io
