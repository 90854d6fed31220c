#pragma once

#include "base/assert.h"
#include "base/bytes.h"
#include "journal/format.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace ringpost::journal {

/// Memory for one block, aligned for O_DIRECT.
class BlockBuffer {
 public:
  BlockBuffer() = default;
  /// @param capacity  a multiple of page_bytes.
  explicit BlockBuffer(uint32_t capacity)
      : bytes_(static_cast<std::byte*>(std::aligned_alloc(page_bytes, capacity))),
        capacity_(capacity) {
    RINGPOST_ASSERT(bytes_ != nullptr);
  }

  std::byte* data() const { return bytes_.get(); }
  uint32_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  uint32_t capacity_ = 0;
};

/// Keeps the buffers of a writer between blocks: all of them while it is busy, so that a steady
/// stream allocates nothing; only small ones when it rests.
class BlockBufferPool {
 public:
  static constexpr uint32_t capacity_min = 16 * 1024;
  static constexpr uint32_t kept_at_rest_max = 32 * 1024;

  explicit BlockBufferPool(uint32_t count_max) : count_max_(count_max) {}

  /// @returns a buffer of at least `capacity` bytes.
  BlockBuffer take(uint32_t capacity) {
    while (!free_.empty()) {
      BlockBuffer buffer = std::move(free_.back());
      free_.pop_back();
      if (buffer.capacity() >= capacity) return buffer;
    }
    return BlockBuffer(capacity);
  }

  /// @param capacity_max  a buffer that is larger was for one huge record: it is freed.
  void give_back(BlockBuffer buffer, uint32_t capacity_max) {
    if (buffer.capacity() <= capacity_max && free_.size() < count_max_) {
      free_.push_back(std::move(buffer));
    }
  }

  void rest() {
    std::erase_if(free_, [](const BlockBuffer& one) { return one.capacity() > kept_at_rest_max; });
  }

  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const BlockBuffer& buffer : free_) sum += buffer.capacity();
    return sum;
  }

 private:
  const uint32_t count_max_;
  std::vector<BlockBuffer> free_;
};

}  // namespace ringpost::journal
