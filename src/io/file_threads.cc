#include "io/file_threads.h"

#include "base/assert.h"
#include "io/posix_disk.h"

#include <signal.h>
#include <utility>

namespace ringpost::io {

namespace {

/// In Completion::progress.done as long as no thread has begun the operation. When it has ended,
/// progress.offset is its result.
constexpr uint32_t waiting = 1;

/// Enough for one write or read, also with a sanitizer.
constexpr size_t stack_bytes = 256 * 1024;

int32_t write_all(const Completion& op) {
  const auto written = PosixDisk{}.write_at(File{op.progress.file}, op.progress.offset,
                                            {op.progress.data, op.progress.size});
  return written ? static_cast<int32_t>(op.progress.size) : -written.error().detail;
}

int32_t read_all(const Completion& op) {
  // Ring::read had it as bytes that may change.
  auto* into = const_cast<std::byte*>(op.progress.data);  // NOLINT
  const auto got =
      PosixDisk{}.read_at(File{op.progress.file}, op.progress.offset, {into, op.progress.size});
  return got ? static_cast<int32_t>(*got) : -got.error().detail;
}

int32_t perform(const Completion& op) {
  return op.operation() == Completion::Operation::write ? write_all(op) : read_all(op);
}

/// No signal of the process is for these threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

// --- the queues ----------------------------------------------------------------------------------

void FileThreads::Queue::push(Completion& op) {
  op.progress.next = nullptr;
  op.progress.previous = last;
  (last != nullptr ? last->progress.next : first) = &op;
  last = &op;
}

void FileThreads::Queue::remove(Completion& op) {
  Completion* const next = op.progress.next;
  Completion* const previous = op.progress.previous;
  (previous != nullptr ? previous->progress.next : first) = next;
  (next != nullptr ? next->progress.previous : last) = previous;
}

Completion* FileThreads::Queue::pop() {
  Completion* const op = first;
  if (op != nullptr) remove(*op);
  return op;
}

FileThreads::Queue& FileThreads::queue_of(const Completion& op) {
  return op.operation() == Completion::Operation::write ? shared_.writes : shared_.reads;
}

// --- the ring's side -----------------------------------------------------------------------------

std::unique_ptr<FileThreads> FileThreads::start(uint32_t count, Waker& waker) {
  RINGPOST_ASSERT(count >= 2);
  std::unique_ptr<FileThreads> files{new FileThreads{waker}};
  files->reads_max_ = count / 2;
  const SignalsBlocked blocked;
  while (files->threads_.size() < count) {
    if (!files->start_thread()) return nullptr;
  }
  return files;
}

bool FileThreads::start_thread() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  const auto work = [](void* self) -> void* {
    pthread_setname_np(pthread_self(), "files");
    static_cast<FileThreads*>(self)->run();
    return nullptr;
  };
  pthread_t thread{};
  const int failure = pthread_create(&thread, &attributes, work, this);
  pthread_attr_destroy(&attributes);
  if (failure == 0) threads_.push_back(thread);
  return failure == 0;
}

FileThreads::~FileThreads() {
  {
    const std::lock_guard lock{mutex_};
    RINGPOST_ASSERT(shared_.writes.first == nullptr);
    RINGPOST_ASSERT(shared_.reads.first == nullptr);
    shared_.stopping = true;
  }
  work_.notify_all();
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
}

void FileThreads::submit(Completion& op) {
  bool wakes = false;
  {
    const std::lock_guard lock{mutex_};
    op.progress.done = waiting;
    queue_of(op).push(op);
    wakes = shared_.sleepers > 0;
  }
  if (wakes) work_.notify_one();
}

bool FileThreads::withdraw(Completion& op) {
  const std::lock_guard lock{mutex_};
  if (op.progress.done != waiting) return false;
  queue_of(op).remove(op);
  return true;
}

Completion* FileThreads::take_ended() {
  const std::lock_guard lock{mutex_};
  shared_.has_ended.store(false, std::memory_order_relaxed);
  return std::exchange(shared_.ended, {}).first;
}

// --- the threads ---------------------------------------------------------------------------------

void FileThreads::run() {
  std::unique_lock lock{mutex_};
  while (true) {
    Completion* const op = next();
    if (op == nullptr) {
      if (shared_.stopping) return;
      ++shared_.sleepers;
      work_.wait(lock);
      --shared_.sleepers;
      continue;
    }
    op->progress.done = 0;
    const uint32_t reads = op->operation() == Completion::Operation::read ? 1 : 0;
    shared_.reads_running += reads;
    lock.unlock();
    const int32_t result = perform(*op);
    lock.lock();
    shared_.reads_running -= reads;
    op->progress.offset = static_cast<uint32_t>(result);
    shared_.ended.push(*op);
    shared_.has_ended.store(true, std::memory_order_release);  // Pairs with has_ended().
    lock.unlock();
    waker_.wake();
    lock.lock();
  }
}

/// @returns what the calling thread is to do, out of its queue; null: nothing.
Completion* FileThreads::next() {
  if (Completion* const write = shared_.writes.pop()) return write;
  return shared_.reads_running < reads_max_ ? shared_.reads.pop() : nullptr;
}

}  // namespace ringpost::io
