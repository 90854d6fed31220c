#pragma once

#include "base/assert.h"
#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>

namespace ringpost::io {

/// A kernel handle of a connection or a listener, or a simulated one. Copying it copies the name,
/// not the thing: one object owns it and closes it with Ring::close.
struct Socket {
  int32_t handle = -1;

  bool valid() const { return handle >= 0; }
  friend bool operator==(const Socket&, const Socket&) = default;
};

/// An open file, likewise. Opened and closed through Disk.
struct File {
  int32_t handle = -1;

  bool valid() const { return handle >= 0; }
  friend bool operator==(const File&, const File&) = default;
};

/// What became of an operation.
struct Outcome {
  int32_t result = 0;  ///< At least 0: a count of bytes or a handle. Below 0: minus an errno.
  bool more = false;   ///< The operation goes on and its handler will run again (accept, receive).
  Bytes bytes;         ///< receive only: what arrived, lent until the handler returns.

  explicit operator bool() const { return result >= 0; }
  Error error(Side side) const { return error_from_errno(-result, side); }
  Socket socket() const { return {result}; }
};

/// One operation in flight, embedded in the object that waits for it. From the call that submits it
/// until the handler runs with `more` false, the ring owns it and the buffers it was given: neither
/// may be destroyed, moved or used for another operation.
class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;  // Its address is the operation's user_data.
  Completion& operator=(const Completion&) = delete;
  ~Completion() { RINGPOST_ASSERT(!pending_); }  // Or the kernel would write into freed memory.

  bool pending() const { return pending_; }

  // The rest is for implementations of Ring.

  using Handler = void (*)(void* owner, const Outcome& outcome);

  enum class Operation : uint8_t { none, accept, connect, receive, send, close, write, read };

  void begin(Operation operation, Socket socket, void* owner, Handler handler) {
    RINGPOST_ASSERT(!pending_);
    operation_ = operation;
    socket_ = socket;
    owner_ = owner;
    handler_ = handler;
    pending_ = true;
  }

  /// Runs the handler. After it has run with `more` false the completion may no longer exist.
  void complete(const Outcome& outcome) {
    RINGPOST_ASSERT(pending_);
    pending_ = outcome.more;
    handler_(owner_, outcome);
  }

  /// Ends it without running the handler: the ring has died, and so has whoever would hear of it.
  void abandon() {
    RINGPOST_ASSERT(pending_);
    pending_ = false;
  }

  Operation operation() const { return operation_; }
  bool on_file() const { return operation_ == Operation::write || operation_ == Operation::read; }
  Socket socket() const { return socket_; }

  /// Room for the implementation: progress of short transfers, list links, positions.
  struct Progress {
    const std::byte* data = nullptr;  ///< What is sent or written, or where what is read goes.
    uint64_t offset = 0;
    uint32_t size = 0;
    uint32_t done = 0;
    int32_t file = -1;
    uint8_t flags = 0;
    Completion* next = nullptr;
    Completion* previous = nullptr;
  } progress;

 private:
  void* owner_ = nullptr;
  Handler handler_ = nullptr;
  Socket socket_;
  Operation operation_ = Operation::none;
  bool pending_ = false;
};

}  // namespace ringpost::io
