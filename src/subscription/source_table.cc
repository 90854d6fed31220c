#include "subscription/source_table.h"

#include "subscription/patterns.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <new>
#include <tuple>

namespace ringpost::subscription {
namespace {

constexpr std::align_val_t block_alignment{64};  // A run of slots begins with a cache line.

constexpr uint32_t every_type = (1u << SourceRow::filter_bits) - 1;

auto key_order(const SourceChange& change) {
  return std::tuple<uint64_t, std::string_view, std::string_view, uint32_t>{
      change.hash, change.webhook->organization, change.source, change.webhook->number};
}

bool same_key(const SourceChange& left, const SourceChange& right) {
  return left.hash == right.hash && left.source == right.source &&
         left.webhook->organization == right.webhook->organization;
}

/// Load of at most 1/2: two slots of 8 bytes for each key, and always a free one.
uint32_t slots_for(size_t key_count) {
  return static_cast<uint32_t>(key_count * 2 + 1);
}

/// The bit of a row's filter that stands for a type.
uint32_t filter_bit(const KeyedHash& hash, std::string_view type) {
  const uint64_t value = hash.hash({}, type) >> 32;
  return 1u << (value * SourceRow::filter_bits >> 32);
}

}  // namespace

uint32_t event_filter_bits(const KeyedHash& hash, std::string_view type) {
  if (type.size() > event_type_bytes_max) return every_type;  // Then the webhooks are asked.
  const std::string_view unversioned = unversioned_type(type);
  return filter_bit(hash, type) | (unversioned.empty() ? 0 : filter_bit(hash, unversioned));
}

SourceRow SourceTableBuilder::row_of(const Webhook& webhook) const {
  SourceRow row{.webhook = &webhook, .number = webhook.number, .flags = SourceRow::asks_event};
  for (const std::string& pattern : webhook.events) {
    if (pattern == "*") {
      row.flags = 0;
      break;
    }
    const bool open = pattern.ends_with('*') || pattern.size() > event_type_bytes_max;
    row.flags |= open ? every_type : filter_bit(hash_, pattern);
  }
  return row;
}

// build ─> plan_old (keys that stay, with what joins them) ─> plan_new (keys that come) ─> lay_out

SourceTable SourceTableBuilder::build(const SourceTable& old, std::span<SourceChange> changes) {
  const auto first_added = std::partition(changes.begin(), changes.end(),
                                          [](const SourceChange& change) { return !change.added; });
  removed_.clear();
  for (auto change = changes.begin(); change != first_added; ++change) {
    removed_.push_back(change->webhook);
  }
  std::sort(removed_.begin(), removed_.end(), std::less<>{});
  added_ = {first_added, changes.end()};
  std::sort(added_.begin(), added_.end(), [](const SourceChange& left, const SourceChange& right) {
    return key_order(left) < key_order(right);
  });
  used_.assign(added_.size(), false);
  keys_.clear();
  rows_.clear();
  if (!old.empty()) plan_old(old);
  plan_new();
  return keys_.empty() ? SourceTable{} : lay_out();
}

void SourceTableBuilder::begin_key(uint64_t hash, std::string_view organization,
                                   std::string_view source) {
  keys_.push_back({.hash = hash,
                   .organization = organization,
                   .source = source,
                   .first_row = rows_.size(),
                   .row_count = 0});
}

/// Puts the key's rows in order; a key without rows is gone.
void SourceTableBuilder::end_key() {
  PlannedKey& key = keys_.back();
  const auto first = rows_.begin() + static_cast<ptrdiff_t>(key.first_row);
  const auto by_number = [](const SourceRow& left, const SourceRow& right) {
    return left.number < right.number;
  };
  if (!std::is_sorted(first, rows_.end(), by_number)) std::sort(first, rows_.end(), by_number);
  // A webhook may name a source twice.
  rows_.erase(std::unique(first, rows_.end(),
                          [](const SourceRow& left, const SourceRow& right) {
                            return left.number == right.number;
                          }),
              rows_.end());
  key.row_count = rows_.size() - key.first_row;
  if (key.row_count == 0) {
    keys_.pop_back();
  } else {
    rows_.back().flags |= SourceRow::last;
  }
}

void SourceTableBuilder::plan_old(const SourceTable& old) {
  const auto by_hash = [](const SourceChange& change, uint64_t hash) { return change.hash < hash; };
  for (uint32_t index = 0; index < old.slot_count_; ++index) {
    const uint32_t offset = old.slots()[index].offset;
    if (offset == 0) continue;
    const SourceTable::Key key = old.key_at(offset);
    const uint64_t hash = hash_.hash(hash_.organization(key.organization), key.source);
    begin_key(hash, key.organization, key.source);
    for (const SourceRow* row = key.rows;; ++row) {
      if (!std::binary_search(removed_.begin(), removed_.end(), row->webhook, std::less<>{})) {
        rows_.push_back(*row);
        rows_.back().flags &= ~SourceRow::last;
      }
      if (row->is_last()) break;
    }
    auto joins = std::lower_bound(added_.begin(), added_.end(), hash, by_hash);
    for (; joins != added_.end() && joins->hash == hash; ++joins) {
      if (joins->source != key.source || joins->webhook->organization != key.organization) continue;
      rows_.push_back(row_of(*joins->webhook));
      used_[static_cast<size_t>(joins - added_.begin())] = true;
    }
    end_key();
  }
}

void SourceTableBuilder::plan_new() {
  for (size_t index = 0; index < added_.size();) {
    const SourceChange& first = added_[index];
    if (used_[index]) {
      ++index;
      continue;
    }
    begin_key(first.hash, first.webhook->organization, first.source);
    for (; index < added_.size() && same_key(first, added_[index]); ++index) {
      rows_.push_back(row_of(*added_[index].webhook));
    }
    end_key();
  }
}

size_t SourceTableBuilder::key_bytes(const PlannedKey& key) const {
  const size_t text = sizeof(SourceTable::KeyHead) + key.organization.size() + key.source.size();
  return (text + 7) / 8 * 8 + key.row_count * sizeof(SourceRow);
}

void SourceTableBuilder::write_key(const PlannedKey& key, std::byte* at) const {
  const SourceTable::KeyHead head{static_cast<uint16_t>(key.organization.size()),
                                  static_cast<uint16_t>(key.source.size())};
  std::memcpy(at, &head, sizeof head);
  std::memcpy(at + sizeof head, key.organization.data(), key.organization.size());
  std::memcpy(at + sizeof head + key.organization.size(), key.source.data(), key.source.size());
  std::byte* rows = at + key_bytes(key) - key.row_count * sizeof(SourceRow);
  std::memcpy(rows, rows_.data() + key.first_row, key.row_count * sizeof(SourceRow));
}

SourceTable SourceTableBuilder::lay_out() const {
  SourceTable table;
  table.slot_count_ = slots_for(keys_.size());
  size_t bytes = table.slot_count_ * sizeof(SourceTable::Slot);
  for (const PlannedKey& key : keys_) bytes += key_bytes(key);
  RINGPOST_ASSERT(bytes / 8 <= std::numeric_limits<uint32_t>::max());
  table.units_ = static_cast<uint32_t>(bytes / 8);
  auto* memory = static_cast<std::byte*>(::operator new(bytes, block_alignment));
  std::memset(memory, 0, bytes);
  table.memory_ = memory;
  auto* slots = reinterpret_cast<SourceTable::Slot*>(memory);
  size_t at = table.slot_count_ * sizeof(SourceTable::Slot);
  for (const PlannedKey& key : keys_) {
    const Place place{key.hash};
    uint32_t index = place.slot(table.slot_count_);
    while (slots[index].offset != 0) index = index + 1 == table.slot_count_ ? 0 : index + 1;
    slots[index] = {.tag = place.tag, .offset = static_cast<uint32_t>(at / 8)};
    write_key(key, memory + at);
    at += key_bytes(key);
  }
  return table;
}

void SourceTableBuilder::destroy(const void* memory) {
  ::operator delete(const_cast<void*>(memory), block_alignment);
}

}  // namespace ringpost::subscription
