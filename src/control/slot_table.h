#pragma once

#include "base/assert.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace ringpost::control {

/// No slot: the end of a chain.
inline constexpr uint32_t no_slot = std::numeric_limits<uint32_t>::max();

/// Slots named by a 32-bit index, in chunks, so that growing moves nothing and an empty table costs
/// nothing. `Link` names the member that chains free slots; it is the owner's while a slot is
/// taken.
template <typename Slot, uint32_t Slot::*Link>
class SlotTable {
 public:
  /// @returns the index of a fresh slot, value-initialised.
  uint32_t take() {
    if (free_ == no_slot) grow();
    const uint32_t index = free_;
    free_ = (*this)[index].*Link;
    (*this)[index] = Slot{};
    ++taken_;
    return index;
  }

  void give_back(uint32_t index) {
    RINGPOST_ASSERT(taken_ > 0);
    (*this)[index] = Slot{};
    (*this)[index].*Link = free_;
    free_ = index;
    --taken_;
  }

  Slot& operator[](uint32_t index) { return chunks_[index >> chunk_bits][index & chunk_mask]; }
  const Slot& operator[](uint32_t index) const {
    return chunks_[index >> chunk_bits][index & chunk_mask];
  }

  uint32_t taken() const { return taken_; }
  /// All indexes below are slots, taken or free.
  uint32_t index_end() const { return static_cast<uint32_t>(chunks_.size()) << chunk_bits; }
  size_t memory_bytes() const { return chunks_.size() * (chunk_slots * sizeof(Slot)); }

 private:
  static constexpr uint32_t chunk_bits = 9;
  static constexpr uint32_t chunk_slots = 1u << chunk_bits;
  static constexpr uint32_t chunk_mask = chunk_slots - 1;

  void grow() {
    const uint32_t first = index_end();
    RINGPOST_ASSERT(first < no_slot - chunk_slots);
    chunks_.push_back(std::make_unique<Slot[]>(chunk_slots));
    for (uint32_t index = first + chunk_slots; index-- > first;) {
      (*this)[index].*Link = free_;
      free_ = index;
    }
  }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  uint32_t free_ = no_slot;
  uint32_t taken_ = 0;
};

/// A hash index over a SlotTable whose slots carry their hash and their chain's next link: four to
/// eight bytes a slot, and removing is as cheap as finding.
template <typename Slot, uint32_t Slot::*Hash, uint32_t Slot::*Next>
class SlotIndex {
 public:
  /// @returns the first slot with `hash` for which `matches(index)`, or no_slot.
  template <typename Slots, typename Matches>
  uint32_t find(const Slots& slots, uint32_t hash, Matches matches) const {
    if (heads_.empty()) return no_slot;
    for (uint32_t index = heads_[bucket(hash)]; index != no_slot; index = slots[index].*Next) {
      if (slots[index].*Hash == hash && matches(index)) return index;
    }
    return no_slot;
  }

  template <typename Slots>
  void insert(Slots& slots, uint32_t index) {
    if (count_ == heads_.size()) grow(slots);
    link(slots, index);
    ++count_;
  }

  template <typename Slots>
  void erase(Slots& slots, uint32_t index) {
    uint32_t* place = &heads_[bucket(slots[index].*Hash)];
    while (*place != index) {
      RINGPOST_ASSERT(*place != no_slot);
      place = &(slots[*place].*Next);
    }
    *place = slots[index].*Next;
    --count_;
  }

  size_t memory_bytes() const { return heads_.capacity() * sizeof(uint32_t); }

 private:
  size_t bucket(uint32_t hash) const { return hash & (heads_.size() - 1); }

  template <typename Slots>
  void link(Slots& slots, uint32_t index) {
    uint32_t& head = heads_[bucket(slots[index].*Hash)];
    slots[index].*Next = head;
    head = index;
  }

  template <typename Slots>
  void grow(Slots& slots) {
    std::vector<uint32_t> before(heads_.empty() ? 64 : heads_.size() * 2, no_slot);
    before.swap(heads_);
    for (uint32_t head : before) {
      while (head != no_slot) {
        const uint32_t next = slots[head].*Next;
        link(slots, head);
        head = next;
      }
    }
  }

  std::vector<uint32_t> heads_;  // A power of two of them, or none.
  size_t count_ = 0;
};

}  // namespace ringpost::control
