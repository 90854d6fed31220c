#pragma once

#include "base/bytes.h"
#include "subscription/directory.h"
#include "subscription/git_source.h"
#include "subscription/token.h"
#include "subscription/webhook.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace ringpost::subscription {

/// Numbers come from the store one after the other; this spreads them (the finalizer of
/// splitmix64).
inline uint64_t hash_of_number(uint32_t number) {
  uint64_t mixed = number * 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  return mixed ^ (mixed >> 31);
}

/// A part of a SHA-256 is as good a hash as any.
inline uint64_t hash_of_sha256(const std::array<uint8_t, 32>& sha256) {
  return load_le<uint64_t>(reinterpret_cast<const std::byte*>(sha256.data()));
}

inline uint64_t hash_of(const Webhook& webhook) {
  return hash_of_number(webhook.number);
}
inline uint64_t hash_of(const Token& token) {
  return hash_of_sha256(token.sha256);
}
inline uint64_t hash_of(const GitSource& source) {
  return hash_of_sha256(source.sha256);
}

/// `removed` goes and `added` comes; either may be nullptr. Both belong to `hash`'s sub-table.
template <typename T>
struct PointerChange {
  uint64_t hash = 0;
  const T* removed = nullptr;
  const T* added = nullptr;
};

/// One of the 4,096 parts of an index by number or by a token's hash: an immutable open-addressing
/// table of pointers, free slots null. Does not own what it points to.
template <typename T>
class PointerTable {
 public:
  using Change = PointerChange<T>;

  bool empty() const { return slots_ == nullptr; }
  size_t bytes() const { return slot_count_ * sizeof(const T*); }

  /// @param is_wanted  tells the one looked for from others at the same place.
  template <typename Predicate>
  const T* find(const Place& place, const Predicate& is_wanted) const {
    if (slots_ == nullptr) return nullptr;
    uint32_t index = place.slot(slot_count_);
    while (const T* entry = slots_[index]) {  // Ends: a table is never full.
      if (is_wanted(*entry)) return entry;
      if (++index == slot_count_) index = 0;
    }
    return nullptr;
  }

  /// Calls `visit(const T*)` for each entry.
  template <typename Visitor>
  void for_each(const Visitor& visit) const {
    for (uint32_t index = 0; index < slot_count_; ++index) {
      if (slots_[index] != nullptr) visit(slots_[index]);
    }
  }

  /// @returns a new table; the caller destroys its memory.
  static PointerTable build(const PointerTable& old, std::span<const Change> changes) {
    std::vector<const T*> removed;
    std::vector<const T*> entries;
    for (const Change& change : changes) {
      if (change.removed != nullptr) removed.push_back(change.removed);
      if (change.added != nullptr) entries.push_back(change.added);
    }
    std::sort(removed.begin(), removed.end(), std::less<>{});
    old.for_each([&](const T* entry) {
      if (!std::binary_search(removed.begin(), removed.end(), entry, std::less<>{})) {
        entries.push_back(entry);
      }
    });
    return entries.empty() ? PointerTable{} : lay_out(entries);
  }

  static void destroy(const void* memory) { delete[] static_cast<const T* const*>(memory); }
  static const void* memory_of(const PointerTable& table) { return table.slots_; }

 private:
  static PointerTable lay_out(const std::vector<const T*>& entries) {
    PointerTable table;
    table.slot_count_ = static_cast<uint32_t>(entries.size() * 2 + 1);
    auto slots = std::make_unique<const T*[]>(table.slot_count_);
    for (const T* entry : entries) {
      uint32_t index = Place{hash_of(*entry)}.slot(table.slot_count_);
      while (slots[index] != nullptr) index = index + 1 == table.slot_count_ ? 0 : index + 1;
      slots[index] = entry;
    }
    table.slots_ = slots.release();
    return table;
  }

  const T* const* slots_ = nullptr;
  uint32_t slot_count_ = 0;
};

}  // namespace ringpost::subscription
