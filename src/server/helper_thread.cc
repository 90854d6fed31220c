#include "server/helper_thread.h"

#include "io/process.h"

#include <algorithm>
#include <ctime>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace ringpost::server {
namespace {

Duration read_clock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec};
}

}  // namespace

Instant monotonic_now() {
  return Instant{read_clock(CLOCK_MONOTONIC)};
}
WallTime wall_clock_now() {
  return WallTime{read_clock(CLOCK_REALTIME)};
}

HelperThread::HelperThread(Work work)
    : work_(std::move(work)), event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  wakers_.push_back({.fd = event_fd_, .events = POLLIN, .revents = 0});
  for (const int fd : work_.also_wake) {
    wakers_.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  }
}

HelperThread::~HelperThread() {
  if (event_fd_ >= 0) close(event_fd_);
}

bool HelperThread::start() {
  return event_fd_ >= 0 && io::start_thread(thread_, work_.name, [this] {
           shared_.going.wait(false);
           run();
         });
}

void HelperThread::go() {
  shared_.going.store(true);
  shared_.going.notify_one();
}

void HelperThread::join() {
  shared_.stopping.store(true);
  go();
  wake();
  if (thread_.joinable()) thread_.join();
}

void HelperThread::wake() {
  // Sequentially consistent with sleep(): either the sleeper sees the signal before it sleeps, or
  // we see that it sleeps.
  shared_.signalled.store(true);
  if (!shared_.asleep.load()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof one);
}

void HelperThread::run() {
  while (true) {
    shared_.signalled.store(false);
    const bool stopping = shared_.stopping.load();
    const bool more = work_.turn(wall_clock_now(), monotonic_now());
    shared_.turns.store(turns() + 1, std::memory_order_relaxed);
    if (stopping) return;
    if (!more && !work_.has_messages()) sleep(work_.due());
  }
}

void HelperThread::sleep(std::optional<Instant> until) {
  int timeout_ms = -1;
  if (until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - monotonic_now());
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
  }
  shared_.asleep.store(true);
  if (!shared_.signalled.load()) {
    poll(wakers_.data(), wakers_.size(), timeout_ms);
  }
  shared_.asleep.store(false);
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(event_fd_, &count, sizeof count);
}

}  // namespace ringpost::server
