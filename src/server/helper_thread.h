#pragma once

#include "base/clock.h"
#include "io/ring.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <poll.h>
#include <string>
#include <thread>
#include <vector>

namespace ringpost::server {

/// A thread without a ring that turns one of the relay's sides: sleeps until it is woken or
/// something is due. At rest it does not run.
class HelperThread final : public io::Waker {
 public:
  /// All functions are called on the thread alone.
  struct Work {
    std::string name;                             ///< As io::start_thread's.
    std::function<bool(WallTime, Instant)> turn;  ///< @returns whether more can be done now.
    std::function<bool()> has_messages;
    std::function<std::optional<Instant>()> due;  ///< When to turn without being woken.
    std::vector<int> also_wake{};                 ///< Descriptors: it turns when one is readable.
  };

  explicit HelperThread(Work work);
  ~HelperThread() override;  // After `join`.

  /// Starts the thread, which waits for `go`. @returns false if no thread, or no
  /// descriptor, is left for it.
  bool start();
  void go();
  /// Turns once more, then ends. Blocking.
  void join();

  void wake() override;
  /// How many turns it has made. From any thread.
  uint64_t turns() const { return shared_.turns.load(std::memory_order_relaxed); }

 private:
  void run();
  void sleep(std::optional<Instant> until);

  const Work work_;
  std::thread thread_;
  int event_fd_ = -1;
  /// Made before the thread begins: one that allocates nothing has no heap, which would take 32 MiB
  /// of address space.
  std::vector<pollfd> wakers_;
  struct {
    std::atomic<bool> signalled{false};  ///< Set by wake(), cleared by run().
    std::atomic<bool> asleep{false};     ///< Set by run(), read by wake().
    std::atomic<bool> stopping{false};
    std::atomic<bool> going{false};
    std::atomic<uint64_t> turns{0};  ///< Written by run().
  } shared_;
};

/// The clocks, for threads that have no ring.
Instant monotonic_now();
WallTime wall_clock_now();

}  // namespace ringpost::server
