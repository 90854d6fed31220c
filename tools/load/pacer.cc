#include "load/pacer.h"

#include "io/process.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <sys/prctl.h>

namespace ringpost::load {
namespace {

/// At most this long in one sleep: how late the end may be noticed.
constexpr int64_t nap_ns = 50'000'000;

void sleep_until(int64_t ns) {
  const timespec until{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Pacer::Pacer(io::Waker& waker) : waker_(waker) {
  const bool started = io::start_thread(thread_, "pacer", [this] { run(); });
  if (!started) throw std::runtime_error(io::explain_thread_failure());
}

Pacer::~Pacer() {
  shared_.over.store(true, std::memory_order_relaxed);
  shared_.due_ns.store(-1, std::memory_order_release);
  shared_.due_ns.notify_one();
  thread_.join();
}

void Pacer::wake_at(Instant time) {
  const int64_t due = time.time_since_epoch().count();
  if (shared_.due_ns.exchange(due, std::memory_order_release) != due) shared_.due_ns.notify_one();
}

void Pacer::run() {
  prctl(PR_SET_TIMERSLACK, 1UL);  // The default of 50 us is too late for whoever counts in these.
  while (!shared_.over.load(std::memory_order_relaxed)) {
    int64_t due = shared_.due_ns.load(std::memory_order_acquire);
    if (due == 0) {
      shared_.due_ns.wait(0, std::memory_order_acquire);
      continue;
    }
    const int64_t nap_ends = now_ns() + nap_ns;
    sleep_until(std::min(due, nap_ends));
    if (due > nap_ends) continue;
    // Unless another time was set meanwhile: that one is waited for, too.
    shared_.due_ns.compare_exchange_strong(due, 0, std::memory_order_acq_rel);
    waker_.wake();
  }
}

}  // namespace ringpost::load
