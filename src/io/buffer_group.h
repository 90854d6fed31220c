#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <liburing.h>

#include <cstdint>
#include <memory>

namespace ringpost::io {

/// A pool of equal receive buffers from which the kernel picks one for each arrival.
///
/// The kernel takes buffers in the order in which they were given, so all that circulate get used
/// in turn, however few are needed at a time. Hence only a part circulates at first: a shard at
/// rest touches little memory and a lightly loaded one stays in the cache. A shortage brings more
/// in
/// (`grow`), up to all.
class BufferGroup {
 public:
  struct Shape {
    uint16_t id;                 ///< Names the group to the kernel.
    uint32_t count;              ///< A power of two, at most 32,768.
    uint32_t bytes;              ///< Size of one buffer.
    uint32_t circulating_first;  ///< Buffers that circulate from the start; 1 to `count`.
  };

  /// @param ring  lives longer than the group.
  /// Fails as io_uring_register_buf_ring does, with Errc::unsupported and its errno.
  static Result<std::unique_ptr<BufferGroup>> create(io_uring& ring, const Shape& shape);
  BufferGroup(const BufferGroup&) = delete;
  BufferGroup& operator=(const BufferGroup&) = delete;
  /// No receive of the group may be pending.
  ~BufferGroup();

  uint16_t id() const { return shape_.id; }
  uint32_t circulating() const { return circulating_; }

  /// Lends out the first `size` bytes of a buffer that the kernel filled.
  Bytes lend(uint16_t buffer, uint32_t size);
  /// Takes the buffer back; the kernel sees it after `publish`.
  void give_back(uint16_t buffer);
  /// Doubles the buffers that circulate, if there are more. The kernel sees them after `publish`.
  void grow();
  /// Shows the kernel what was given back: one store for a whole batch.
  void publish();

 private:
  BufferGroup(io_uring& ring, const Shape& shape) : ring_(ring), shape_(shape) {}

  std::byte* begin_of(uint16_t buffer) const {
    return memory_ + static_cast<size_t>(buffer) * shape_.bytes;
  }
  size_t memory_bytes() const { return static_cast<size_t>(shape_.count) * shape_.bytes; }
  size_t entries_bytes() const;

  io_uring& ring_;
  const Shape shape_;
  io_uring_buf_ring* entries_ = nullptr;  ///< Shared with the kernel.
  std::byte* memory_ = nullptr;           ///< All buffers; pages appear as they are used.
  bool registered_ = false;
  uint32_t circulating_ = 0;
  int unpublished_ = 0;  ///< Entries written beyond the tail that the kernel knows.
};

}  // namespace ringpost::io
