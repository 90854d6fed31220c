#pragma once

#include "base/assert.h"
#include "base/clock.h"
#include "base/ulid.h"
#include "journal/position.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace ringpost::delivery {

/// A delivery of which no attempt is under way: all that is kept of each in a long backlog.
struct Waiting {
  Ulid id;
  uint64_t packed = 0;    ///< The event's position; the lowest bit says whether its event is held.
  uint32_t attempts = 0;  ///< Started so far, in this life of the process and before.
  uint32_t due = 0;       ///< Of a retry: when, in the dispatcher's ticks.

  static constexpr uint64_t held_bit = 1;  // Records begin at multiples of eight.

  static Waiting make(const Ulid& id, journal::Position event, uint32_t attempts) {
    RINGPOST_ASSERT((event.packed & held_bit) == 0);
    return {.id = id, .packed = event.packed, .attempts = attempts};
  }
  journal::Position event() const { return {packed & ~held_bit}; }
  /// Whether it holds its event in the dispatcher's EventStock.
  bool holds_event() const { return (packed & held_bit) != 0; }
  void set_holds_event(bool holds) { packed = event().packed | (holds ? held_bit : 0); }
};
static_assert(sizeof(Waiting) == 32, "what each delivery of a backlog costs");

/// Deliveries in their order. Takes and frees memory in pieces, so that a long one costs no more
/// than what is in it, and none is ever moved.
class Lane {
 public:
  Lane() = default;
  Lane(Lane&& other) noexcept
      : first_(std::move(other.first_)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Lane& operator=(Lane&&) = delete;
  ~Lane() {  // Not by recursion: it may be long.
    while (first_ != nullptr) drop_first_chunk();
  }

  bool empty() const { return size_ == 0; }
  uint64_t size() const { return size_; }

  Waiting& front() {
    RINGPOST_ASSERT(!empty());
    return first_->entries[first_->begin];
  }
  const Waiting& front() const {
    RINGPOST_ASSERT(!empty());
    return first_->entries[first_->begin];
  }

  void push_back(const Waiting& one) {
    if (last_ == nullptr || last_->end == last_->capacity) append_chunk();
    last_->entries[last_->end++] = one;
    ++size_;
  }

  Waiting pop_front() {
    const Waiting one = front();
    if (++first_->begin == first_->end) drop_first_chunk();
    --size_;
    return one;
  }

 private:
  static constexpr uint32_t capacity_min = 4;
  static constexpr uint32_t capacity_max = 128;  // 4 KiB.

  struct Chunk {
    std::unique_ptr<Chunk> next;
    uint32_t begin = 0;
    uint32_t end = 0;
    uint32_t capacity = 0;
    std::unique_ptr<Waiting[]> entries;
  };

  void append_chunk() {
    const uint32_t before = last_ != nullptr ? last_->capacity : 0;
    auto chunk = std::make_unique<Chunk>();
    chunk->capacity = std::clamp(before * 2, capacity_min, capacity_max);
    chunk->entries = std::make_unique_for_overwrite<Waiting[]>(chunk->capacity);
    Chunk* const added = chunk.get();
    (last_ != nullptr ? last_->next : first_) = std::move(chunk);
    last_ = added;
  }
  void drop_first_chunk() {
    first_ = std::move(first_->next);
    if (first_ == nullptr) last_ = nullptr;
  }

  std::unique_ptr<Chunk> first_;
  Chunk* last_ = nullptr;
  uint64_t size_ = 0;
};

/// Deliveries by when their next attempt is due.
class RetryHeap {
 public:
  bool empty() const { return heap_.empty(); }
  uint64_t size() const { return heap_.size(); }
  const Waiting& front() const { return heap_.front(); }

  void push(const Waiting& one) {
    heap_.push_back(one);
    std::ranges::push_heap(heap_, later);
  }
  Waiting pop() {
    std::ranges::pop_heap(heap_, later);
    const Waiting one = heap_.back();
    heap_.pop_back();
    if (heap_.size() < heap_.capacity() / 4) heap_.shrink_to_fit();
    return one;
  }

 private:
  /// Ticks go round: of two that are less than half of them apart, this tells which is later.
  static bool later(const Waiting& a, const Waiting& b) {
    return static_cast<int32_t>(a.due - b.due) > 0;
  }

  std::vector<Waiting> heap_;
};

}  // namespace ringpost::delivery
