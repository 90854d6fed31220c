#pragma once

#include "base/result.h"
#include "control/store_syncs.h"

#include <cstdint>
#include <optional>

namespace ringpost::control {

class Store;

/// What the store has committed and what of it is durable. While the disk works nothing else is
/// committed: so afterwards everything in the store is durable, and may be shown and answered.
class Durability {
 public:
  /// Both outlive it. @param syncs  null: every commit is durable when it returns.
  Durability(Store& store, StoreSyncs* syncs);

  /// Something was committed that is not durable.
  bool pending() const;
  /// Has it made durable, if there is anything and it is not under way. @returns `under_way()`.
  bool begin();
  /// Until `on_synced`: nothing may be committed.
  bool under_way() const { return under_way_; }
  void on_synced(const StoreSynced& synced);

  /// Why a sync failed. From then on the store refuses every change, since nobody knows what of it
  /// is on the disk.
  const std::optional<Error>& failure() const { return failure_; }
  /// Something may be committed now.
  bool may_commit() const { return !under_way_ && !failure_; }

 private:
  Store& store_;
  StoreSyncs* const syncs_;
  uint64_t synced_ = 0;  // Store::change_count as of the last sync, or the one under way.
  bool under_way_ = false;
  std::optional<Error> failure_;
};

}  // namespace ringpost::control
