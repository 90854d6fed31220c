#pragma once

#include "io/completion.h"
#include "io/ring.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace ringpost::io {

/// A few threads that do for an EpollRing what would block it: durable writes, and reads of files.
///
/// A write ends when its bytes are on stable storage: the file was opened with O_DSYNC
/// (Disk::open_journal), so that is when pwrite returns. Writes go first, and reads take at most
/// half of the threads: whoever waits for a 202 waits for no read. Several writes run at the same
/// time and may end in any order. A thread without work sleeps. The threads allocate nothing and
/// have small stacks, since each shard has some.
///
/// Thread safety: all calls on the ring's thread.
class FileThreads {
 public:
  /// @param count  of threads, at least 2.
  /// @param waker  is woken when an operation has ended; lives longer than the threads.
  /// @returns null if the system starts no further thread (io::explain_thread_failure).
  static std::unique_ptr<FileThreads> start(uint32_t count, Waker& waker);
  FileThreads(const FileThreads&) = delete;
  FileThreads& operator=(const FileThreads&) = delete;
  /// Waits until the threads are gone. Every operation has ended and was taken.
  ~FileThreads();

  /// Lends `op`, a write or a read with its progress filled in, until `take_ended` returns it or
  /// `withdraw` does.
  void submit(Completion& op);
  /// Takes `op` back. @returns false if a thread has begun it, or has ended it: then it comes out
  ///         of `take_ended`.
  bool withdraw(Completion& op);

  /// Whether `take_ended` would find something. Cheap.
  bool has_ended() const { return shared_.has_ended.load(std::memory_order_acquire); }
  /// @returns the first of those that have ended, or null; the others follow it by progress.next.
  ///          To be read before an operation's handler runs.
  Completion* take_ended();
  /// Of an operation that was taken: its count of bytes, or minus an errno.
  static int32_t result_of(const Completion& op) {
    return static_cast<int32_t>(op.progress.offset);
  }

 private:
  /// First come first served; linked through their progress.
  struct Queue {
    Completion* first = nullptr;
    Completion* last = nullptr;

    void push(Completion& op);
    void remove(Completion& op);
    Completion* pop();
  };

  explicit FileThreads(Waker& waker) : waker_(waker) {}

  Queue& queue_of(const Completion& op);
  bool start_thread();
  void run();
  Completion* next();

  Waker& waker_;
  std::vector<pthread_t> threads_;
  uint32_t reads_max_ = 1;  ///< At the same time.
  std::condition_variable work_;
  std::mutex mutex_;
  struct {
    // All under mutex_, but for has_ended, which only spares the look.
    Queue writes;  ///< That no thread has begun.
    Queue reads;   ///< Likewise.
    Queue ended;
    uint32_t reads_running = 0;
    uint32_t sleepers = 0;
    bool stopping = false;
    std::atomic<bool> has_ended{false};
  } shared_;
};

}  // namespace ringpost::io
