#pragma once

#include "control/store/log_sync.h"
#include "control/store/store.h"

#include <memory>
#include <vector>

struct sqlite3;

namespace ringpost::sim {

/// A control store in memory, and the disk under it, which has what was synced.
class StoreDisk final : public control::LogSync {
 public:
  StoreDisk();

  control::Store& store() { return *store_; }
  Result<void> sync() override;
  /// A loss of power: the store is as of the last sync. Nothing uses it meanwhile.
  void lose_power();

 private:
  void open();

  std::vector<unsigned char> synced_;  ///< SQLite's file.
  std::unique_ptr<control::Store> store_;
  sqlite3* connection_ = nullptr;  ///< The store's.
};

}  // namespace ringpost::sim
