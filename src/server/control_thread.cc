#include "server/control_thread.h"

#include <algorithm>
#include <ctime>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

ControlThread::ControlThread(shard::Relay& relay)
    : relay_(relay), event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  RINGPOST_ASSERT(event_fd_ >= 0);
  relay.mailroom().set_control_waker(this);
}

ControlThread::~ControlThread() {
  close(event_fd_);
}

void ControlThread::start() {
  thread_ = std::thread([this] { run(); });
}

void ControlThread::join() {
  shared_.stopping.store(true);
  wake();
  if (thread_.joinable()) thread_.join();
}

void ControlThread::request_reload() {
  shared_.reload_wanted.store(true);
  wake();
}

void ControlThread::wake() {
  // Sequentially consistent with sleep(): either the sleeper sees the signal before it sleeps, or
  // we see that it sleeps.
  shared_.signalled.store(true);
  if (!shared_.asleep.load()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof one);
}

void ControlThread::run() {
  while (true) {
    shared_.signalled.store(false);
    const bool stopping = shared_.stopping.load();
    if (shared_.reload_wanted.exchange(false)) relay_.reload(wall_clock_now());
    const bool more = relay_.control_turn(wall_clock_now(), monotonic_now());
    if (stopping) return;
    if (!more && !relay_.control_has_messages()) sleep(relay_.control_due());
  }
}

void ControlThread::sleep(std::optional<Instant> until) {
  int timeout_ms = -1;
  if (until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - monotonic_now());
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
  }
  shared_.asleep.store(true);
  if (!shared_.signalled.load()) {
    pollfd waiting{.fd = event_fd_, .events = POLLIN, .revents = 0};
    poll(&waiting, 1, timeout_ms);
  }
  shared_.asleep.store(false);
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(event_fd_, &count, sizeof count);
}

}  // namespace ringpost::server
