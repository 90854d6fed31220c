#include "subscription/snapshot.h"

#include "subscription/patterns.h"

namespace ringpost::subscription {
namespace {

constexpr size_t probes_max = 3;  // The exact source, its kind, the whole organization.

/// The keys under which an event is looked up, and the rows found under them.
class Lookup {
 public:
  Lookup(const KeyedHash& hash, const Directory<SourceTable>& tables, const EventKey& key)
      : hash_(hash), key_(key), organization_(hash.organization(key.organization)) {
    // All places are known, and their slots under way to the cache, before the first is read.
    if (!key.source.empty() && key.source.size() <= source_bytes_max) add(tables, key.source);
    if (const size_t prefix = kind_prefix_size(key.source); prefix != 0) {
      if (prefix < source_bytes_max) add(tables, kind_pattern(prefix));
    }
    add(tables, "*");
    for (size_t index = 0; index < probe_count_; ++index) {
      const Probe& probe = probes_[index];
      const SourceRow* rows = probe.table->find(probe.place, key.organization, probe.source);
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
  struct Probe {
    const SourceTable* table;
    Place place{0};
    std::string_view source;
  };

  void add(const Directory<SourceTable>& tables, std::string_view source) {
    const Place place{hash_.hash(organization_, source)};
    const SourceTable& table = tables[place.sub_table];
    table.prefetch(place);
    probes_[probe_count_++] = {.table = &table, .place = place, .source = source};
  }

  std::string_view kind_pattern(size_t prefix) {
    std::memcpy(kind_, key_.source.data(), prefix);
    kind_[prefix] = '*';
    return {kind_, prefix + 1};
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
    if (wants(*taken)) out.push_back(taken->webhook);
  }

  bool wants(const SourceRow& row) {
    if ((row.flags & SourceRow::asks_event) == 0) return true;
    if (type_bit_ == 0) type_bit_ = event_filter_bit(hash_, key_.type);
    return row.may_want(type_bit_) && any_event_matches(row.webhook->events, key_.type);
  }

  const KeyedHash& hash_;
  const EventKey& key_;
  const KeyedHash::Organization organization_;
  Probe probes_[probes_max];
  size_t probe_count_ = 0;
  const SourceRow* cursors_[probes_max];
  size_t cursor_count_ = 0;
  uint32_t type_bit_ = 0;  ///< 0 until the first row asks for it.
  char kind_[source_bytes_max];
};

}  // namespace

void Snapshot::match(const EventKey& key, std::vector<const Webhook*>& out) const {
  if (key.organization.size() > organization_bytes_max) return;
  Lookup(*hash_, sources_, key).collect(out);
}

}  // namespace ringpost::subscription
