#pragma once

#include "io/ring.h"
#include "shard/relay.h"

#include <atomic>
#include <thread>

namespace ringpost::server {

/// The thread that turns the relay's control side: sleeps until a shard wakes it or housekeeping is
/// due. At rest it does not run.
class ControlThread final : public io::Waker {
 public:
  explicit ControlThread(shard::Relay& relay);
  ~ControlThread() override;  // After `join`.

  void start();
  /// When all shards have stopped: answers nothing more. Blocking.
  void join();

  /// Reads the configuration again, soon. From any thread.
  void request_reload();

  void wake() override;

 private:
  void run();
  void sleep(std::optional<Instant> until);

  shard::Relay& relay_;
  std::thread thread_;
  int event_fd_ = -1;
  struct {
    std::atomic<bool> signalled{false};  ///< Set by wake(), cleared by run().
    std::atomic<bool> asleep{false};     ///< Set by run(), read by wake().
    std::atomic<bool> stopping{false};
    std::atomic<bool> reload_wanted{false};  ///< Set by request_reload(), cleared by run().
  } shared_;
};

/// The clocks, for the one thread that has no ring.
Instant monotonic_now();
WallTime wall_clock_now();

}  // namespace ringpost::server
