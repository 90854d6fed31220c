#pragma once

#include "base/result.h"

#include <optional>

namespace ringpost::control {

/// What the store has committed is to be made durable: LogSync::sync.
struct StoreSyncWanted {};

struct StoreSynced {
  std::optional<Error> failure;
};

/// Who does that beside the control thread. Each is answered by Control::on_store_synced; the next
/// one is sent after that.
class StoreSyncs {
 public:
  virtual ~StoreSyncs() = default;
  virtual void send(StoreSyncWanted wanted) = 0;
};

}  // namespace ringpost::control
