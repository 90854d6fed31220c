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

/// Deliveries by when their next attempt is due. Takes and frees memory in pieces, as a Lane does.
class RetryHeap {
 public:
  bool empty() const { return size_ == 0; }
  uint64_t size() const { return size_; }
  const Waiting& front() const { return first_.front(); }

  void push(const Waiting& one) {
    append(one);
    for (uint64_t place = size_ - 1; place > 0;) {
      const uint64_t above = (place - 1) / 2;
      if (!later(at(above), at(place))) break;
      std::swap(at(above), at(place));
      place = above;
    }
  }
  Waiting pop() {
    const Waiting one = front();
    const Waiting last = at(size_ - 1);
    drop_last();
    if (size_ > 0) sink(last);
    return one;
  }

 private:
  static constexpr uint64_t piece = 128;  // 4 KiB.

  /// Ticks go round: of two that are less than half of them apart, this tells which is later.
  static bool later(const Waiting& a, const Waiting& b) {
    return static_cast<int32_t>(a.due - b.due) > 0;
  }

  Waiting& at(uint64_t place) {
    return place < piece ? first_[place] : more_[place / piece - 1][place % piece];
  }
  void append(const Waiting& one) {
    if (size_ < piece) {
      first_.push_back(one);
    } else {
      if (size_ / piece > more_.size()) {
        more_.push_back(std::make_unique_for_overwrite<Waiting[]>(piece));
      }
      at(size_) = one;
    }
    ++size_;
  }
  void drop_last() {
    --size_;
    if (size_ < piece) {
      first_.pop_back();
      if (first_.size() < first_.capacity() / 4) first_.shrink_to_fit();
    }
    const uint64_t spare = (more_.size() + 1) * piece - size_;
    if (!more_.empty() && spare > piece + piece / 2) more_.pop_back();
  }
  /// From the top, which is free.
  void sink(const Waiting& one) {
    uint64_t place = 0;
    for (uint64_t below = 1; below < size_; below = place * 2 + 1) {
      if (below + 1 < size_ && later(at(below), at(below + 1))) ++below;
      if (!later(one, at(below))) break;
      at(place) = at(below);
      place = below;
    }
    at(place) = one;
  }

  std::vector<Waiting> first_;  ///< At most a piece.
  std::vector<std::unique_ptr<Waiting[]>> more_;
  uint64_t size_ = 0;
};

}  // namespace ringpost::delivery
