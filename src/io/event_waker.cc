#include "io/event_waker.h"

#include <cerrno>
#include <sys/eventfd.h>
#include <unistd.h>

namespace ringpost::io {

EventWaker::~EventWaker() {
  if (handle_ >= 0) ::close(handle_);
}

Result<void> EventWaker::open() {
  handle_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (handle_ < 0) return error_from_errno(errno, Side::self);
  return {};
}

void EventWaker::wake() {
  // A read-modify-write, not a look first: it orders the caller's push before it for the ring's
  // acknowledge(), also for the second of two senders, who would find the flag set already.
  if (shared_.signalled.exchange(true, std::memory_order_seq_cst)) return;
  // Pairs with try_sleep(): of the two stores (signalled here, asleep there) one comes first, and
  // whoever comes second sees the other's.
  if (!shared_.asleep.load(std::memory_order_seq_cst)) return;
  const uint64_t one = 1;
  // It cannot fail: the counter would have to reach 2^64 - 1 first.
  const ssize_t written = ::write(handle_, &one, sizeof one);
  RINGPOST_ASSERT(written == sizeof one);
}

bool EventWaker::try_sleep() {
  shared_.asleep.store(true, std::memory_order_seq_cst);
  if (!shared_.signalled.load(std::memory_order_seq_cst)) return true;
  end_sleep();
  return false;
}

void EventWaker::acknowledge() {
  if (!signalled()) return;
  shared_.signalled.exchange(false, std::memory_order_seq_cst);  // Pairs with wake().
}

}  // namespace ringpost::io
