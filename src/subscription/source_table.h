#pragma once

#include "base/assert.h"
#include "base/bytes.h"
#include "subscription/directory.h"
#include "subscription/keyed_hash.h"
#include "subscription/webhook.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace ringpost::subscription {

/// One webhook under one key, with what is needed to pass it over without touching it.
struct SourceRow {
  const Webhook* webhook = nullptr;
  uint32_t number = 0;  ///< The webhook's; rows of a key are sorted by number.
  uint32_t flags = 0;

  static constexpr uint32_t asks_event = 1u << 31;  ///< Does not want every type.
  static constexpr uint32_t last = 1u << 30;        ///< The last row of its key.
  static constexpr uint32_t filter_bits = 29;       ///< Below: a Bloom filter of wanted types.

  bool is_last() const { return (flags & last) != 0; }
  /// @param type_bits  of `event_filter_bits`; false: the webhook does not want the type.
  bool may_want(uint32_t type_bits) const {
    return (flags & asks_event) == 0 || (flags & type_bits) != 0;
  }
};
static_assert(sizeof(SourceRow) == 16);

/// The bits of a row's filter under which an event of this type is wanted: one for its type, and
/// one for the type without its version if it has one (patterns.h).
uint32_t event_filter_bits(const KeyedHash& hash, std::string_view type);

/// One of the 4,096 parts of the source index: an immutable open-addressing table in one block.
///
///   slots   slot_count x {tag, offset of the key in units of 8 bytes; 0 means free}
///   keys    each: sizes of organization and source, both texts, zeros up to a multiple of 8,
///           then its rows
///
/// A reference is 16 bytes and lies in the directory, so that a probe goes straight to the slot.
class SourceTable {
 public:
  struct Slot {
    uint32_t tag;
    uint32_t offset;
  };

  bool empty() const { return memory_ == nullptr; }
  size_t bytes() const { return static_cast<size_t>(units_) * 8; }

  void prefetch(const Place& place) const {
    if (memory_ != nullptr) __builtin_prefetch(slots() + place.slot(slot_count_));
  }

  /// @returns the first row of the key; nullptr if nobody subscribed to it.
  const SourceRow* find(const Place& place, std::string_view organization,
                        std::string_view source) const {
    if (memory_ == nullptr) return nullptr;
    uint32_t index = place.slot(slot_count_);
    while (true) {  // Ends: a table is never full.
      const Slot slot = slots()[index];
      if (slot.offset == 0) return nullptr;
      if (slot.tag == place.tag) {
        const Key key = key_at(slot.offset);
        if (same_text(key.organization, organization) && same_text(key.source, source)) {
          return key.rows;
        }
      }
      if (++index == slot_count_) index = 0;
    }
  }

 private:
  friend class SourceTableBuilder;

  struct KeyHead {
    uint16_t organization_size;
    uint16_t source_size;
  };

  struct Key {
    std::string_view organization;
    std::string_view source;
    const SourceRow* rows;
  };

  /// Names are short: a call of memcmp would cost more than the comparison. The last words overlap.
  static bool same_text(std::string_view left, std::string_view right) {
    if (left.size() != right.size()) return false;
    const size_t size = left.size();
    if (size >= 8) {
      for (size_t at = 0; at + 8 < size; at += 8) {
        if (!same_word<uint64_t>(left, right, at)) return false;
      }
      return same_word<uint64_t>(left, right, size - 8);
    }
    if (size >= 4) {
      return same_word<uint32_t>(left, right, 0) && same_word<uint32_t>(left, right, size - 4);
    }
    for (size_t at = 0; at < size; ++at) {
      if (left[at] != right[at]) return false;
    }
    return true;
  }

  template <typename Word>
  static bool same_word(std::string_view left, std::string_view right, size_t at) {
    return load_le<Word>(as_bytes(left).data() + at) == load_le<Word>(as_bytes(right).data() + at);
  }

  const Slot* slots() const { return reinterpret_cast<const Slot*>(memory_); }

  Key key_at(uint32_t offset) const {
    const std::byte* at = memory_ + static_cast<size_t>(offset) * 8;
    __builtin_prefetch(at + 40);  // The rows, mostly; where they are is known only after the head.
    KeyHead head;
    std::memcpy(&head, at, sizeof head);
    const char* text = reinterpret_cast<const char*>(at) + sizeof head;
    const size_t size = sizeof head + head.organization_size + head.source_size;
    return {.organization = {text, head.organization_size},
            .source = {text + head.organization_size, head.source_size},
            .rows = reinterpret_cast<const SourceRow*>(at + (size + 7) / 8 * 8)};
  }

  const std::byte* memory_ = nullptr;
  uint32_t slot_count_ = 0;
  uint32_t units_ = 0;  ///< Size of the block in units of 8 bytes.
};
static_assert(sizeof(SourceTable) == 16);

/// A webhook comes to, or goes from, the key (its organization, `source`).
struct SourceChange {
  uint64_t hash = 0;
  const Webhook* webhook = nullptr;
  std::string_view source;  ///< In `webhook->sources`.
  bool added = false;
};

/// Builds a new sub-table out of an old one and changes. Keeps its working memory between builds.
class SourceTableBuilder {
 public:
  explicit SourceTableBuilder(const KeyedHash& hash) : hash_(hash) {}

  /// @param changes  all of this sub-table; reordered. An added and removed webhook with the same
  ///                 number are different objects: an update is both.
  /// @returns a table that the caller owns: `destroy` it. Empty if no key is left.
  SourceTable build(const SourceTable& old, std::span<SourceChange> changes);

  static void destroy(const void* memory);
  static const void* memory_of(const SourceTable& table) { return table.memory_; }

 private:
  struct PlannedKey {
    uint64_t hash;
    std::string_view organization;
    std::string_view source;
    size_t first_row;
    size_t row_count;
  };

  void plan_old(const SourceTable& old);
  void plan_new();
  void begin_key(uint64_t hash, std::string_view organization, std::string_view source);
  void end_key();
  SourceTable lay_out() const;
  size_t key_bytes(const PlannedKey& key) const;
  void write_key(const PlannedKey& key, std::byte* at) const;
  SourceRow row_of(const Webhook& webhook) const;

  const KeyedHash& hash_;
  std::vector<const Webhook*> removed_;  ///< Sorted by address.
  std::span<SourceChange> added_;        ///< Sorted by key, then number.
  std::vector<bool> used_;               ///< Of `added_`: joined a key that was there.
  std::vector<PlannedKey> keys_;
  std::vector<SourceRow> rows_;
};

}  // namespace ringpost::subscription
