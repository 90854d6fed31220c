#pragma once

#include "io/ring.h"

#include <atomic>

namespace ringpost::io {

/// Waker of a ring that sleeps in the kernel: an eventfd, written to only when the ring announced
/// its sleep. The protocol is in ring.h (Waker).
///
/// Thread safety: `wake` from any thread; the rest from the ring's thread.
class EventWaker final : public Waker {
 public:
  EventWaker() = default;
  EventWaker(const EventWaker&) = delete;
  EventWaker& operator=(const EventWaker&) = delete;
  ~EventWaker() override;

  /// Creates the eventfd. Errors as eventfd(2).
  Result<void> open();
  /// Becomes readable at a wake; the ring polls it for edges, so nobody has to read it.
  int handle() const { return handle_; }

  void wake() override;

  bool signalled() const { return shared_.signalled.load(std::memory_order_relaxed); }
  /// Announces sleep. @returns false if a signal came first: then do not sleep.
  bool try_sleep();
  /// The ring is up again.
  void end_sleep() { shared_.asleep.store(false, std::memory_order_relaxed); }
  /// Consumes the signals so far: the caller looks into its mailboxes before it may sleep again.
  void acknowledge();

 private:
  int handle_ = -1;
  struct alignas(64) {
    std::atomic<bool> signalled{false};
    std::atomic<bool> asleep{false};
  } shared_;
};

}  // namespace ringpost::io
