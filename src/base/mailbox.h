#pragma once

#include "base/assert.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace ringpost {

/// A bounded queue from one thread to one other: how shards and the control thread talk.
///
/// Thread safety: `push` from the sender only, `pop` from the receiver only.
template <typename T>
class Mailbox {
 public:
  /// @param capacity  messages held at most; a power of two.
  explicit Mailbox(size_t capacity) : mask_(capacity - 1), slots_(std::make_unique<T[]>(capacity)) {
    RINGPOST_ASSERT((capacity & mask_) == 0);
  }

  /// @returns false if the mailbox is full; `message` is then untouched.
  bool push(T&& message) {
    const size_t tail = sender_.tail.load(std::memory_order_relaxed);
    if (tail - sender_.head_seen > mask_) {
      sender_.head_seen = receiver_.head.load(std::memory_order_acquire);  // Pairs with pop().
      if (tail - sender_.head_seen > mask_) return false;
    }
    slots_[tail & mask_] = std::move(message);
    sender_.tail.store(tail + 1, std::memory_order_release);  // Pairs with pop().
    return true;
  }

  /// @returns false if the mailbox is empty.
  bool pop(T& message) {
    const size_t head = receiver_.head.load(std::memory_order_relaxed);
    if (head == receiver_.tail_seen) {
      receiver_.tail_seen = sender_.tail.load(std::memory_order_acquire);  // Pairs with push().
      if (head == receiver_.tail_seen) return false;
    }
    message = std::move(slots_[head & mask_]);
    receiver_.head.store(head + 1, std::memory_order_release);  // Pairs with push().
    return true;
  }

  /// From the receiver: whether a message waits.
  bool empty() const {
    return receiver_.head.load(std::memory_order_relaxed) ==
           sender_.tail.load(std::memory_order_seq_cst);
  }

  size_t capacity() const { return mask_ + 1; }
  /// Messages held; from either end, near enough for the other one.
  size_t size() const {
    return sender_.tail.load(std::memory_order_acquire) -
           receiver_.head.load(std::memory_order_acquire);
  }

 private:
  const size_t mask_;
  const std::unique_ptr<T[]> slots_;
  struct alignas(64) {
    std::atomic<size_t> tail{0};
    size_t head_seen = 0;
  } sender_;
  struct alignas(64) {
    std::atomic<size_t> head{0};
    size_t tail_seen = 0;
  } receiver_;
};

}  // namespace ringpost
