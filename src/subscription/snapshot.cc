#include "subscription/snapshot.h"

#include "base/assert.h"
#include "subscription/patterns.h"

namespace ringpost::subscription {
namespace {

// The exact source, its other names, its kind, the whole organization.
constexpr size_t probes_max = 3 + EventKey::aliases_max;

/// The keys under which an event is looked up, and the rows found under them.
class Lookup {
 public:
  Lookup(const KeyedHash& hash, const EventKey& key) : hash_(hash), key_(key) {}

  void find(const Directory<SourceTable>& tables) {
    const size_t count = name_sources();
    const KeyedHash::Organization organization = hash_.organization(key_.organization);
    const SourceTable* asked[probes_max];
    uint64_t hashes[probes_max];
    // All slots are under way to the cache before the first is read.
    for (size_t index = 0; index < count; ++index) {
      hashes[index] = hash_.hash(organization, sources_[index]);
      asked[index] = &tables[Place{hashes[index]}.sub_table];
      asked[index]->prefetch(Place{hashes[index]});
    }
    for (size_t index = 0; index < count; ++index) {
      const SourceRow* rows =
          asked[index]->find(Place{hashes[index]}, key_.organization, sources_[index]);
      if (rows != nullptr) cursors_[cursor_count_++] = rows;
    }
  }

  void collect(std::vector<const Webhook*>& out) {
    while (cursor_count_ > 1) take(smallest_number(), out);
    if (cursor_count_ == 0) return;
    for (const SourceRow* row = cursors_[0];; ++row) {
      if (wants(*row)) out.push_back(row->webhook);
      if (row->is_last()) return;
    }
  }

 private:
  /// @returns how many of `sources_` there are to ask for.
  size_t name_sources() {
    size_t count = 0;
    const std::string_view source = key_.source;
    if (!source.empty() && source.size() <= source_bytes_max) sources_[count++] = source;
    for (const std::string& alias : key_.aliases) {
      if (count > EventKey::aliases_max) break;
      if (alias != source && alias.size() <= source_bytes_max) sources_[count++] = alias;
    }
    const size_t prefix = kind_prefix_size(source);
    if (prefix != 0 && prefix < source_bytes_max) {
      std::memcpy(kind_, source.data(), prefix);
      kind_[prefix] = '*';
      sources_[count++] = {kind_, prefix + 1};
    }
    sources_[count++] = "*";
    return count;
  }

  uint32_t smallest_number() const {
    uint32_t smallest = cursors_[0]->number;
    for (size_t index = 1; index < cursor_count_; ++index) {
      smallest = std::min(smallest, cursors_[index]->number);
    }
    return smallest;
  }

  /// Moves every cursor past the webhook: it may have subscribed in more than one way.
  void take(uint32_t number, std::vector<const Webhook*>& out) {
    const SourceRow* taken = nullptr;
    for (size_t index = 0; index < cursor_count_;) {
      const SourceRow*& cursor = cursors_[index];
      if (cursor->number != number) {
        ++index;
        continue;
      }
      taken = cursor;
      if (!cursor->is_last()) {
        ++cursor;
        ++index;
      } else {
        cursor = cursors_[--cursor_count_];
      }
    }
    RINGPOST_ASSERT(taken != nullptr);  // `number` is one of the cursors'.
    if (wants(*taken)) out.push_back(taken->webhook);
  }

  bool wants(const SourceRow& row) {
    if ((row.flags & SourceRow::asks_event) == 0) return true;
    if (type_bits_ == 0) type_bits_ = event_filter_bits(hash_, key_.type);
    return row.may_want(type_bits_) && any_event_matches(row.webhook->events, key_.type);
  }

  const KeyedHash& hash_;
  const EventKey& key_;
  std::string_view sources_[probes_max];
  const SourceRow* cursors_[probes_max];
  size_t cursor_count_ = 0;
  uint32_t type_bits_ = 0;  ///< 0 until the first row asks for it.
  char kind_[source_bytes_max];
};

}  // namespace

void Snapshot::match(const EventKey& key, std::vector<const Webhook*>& out) const {
  if (key.organization.size() > organization_bytes_max) return;
  Lookup lookup(*hash_, key);
  lookup.find(sources_);
  lookup.collect(out);
}

}  // namespace ringpost::subscription
