#include "control/durability.h"

#include "base/assert.h"
#include "base/log.h"
#include "control/store/store.h"

namespace ringpost::control {

Durability::Durability(Store& store, StoreSyncs* syncs)
    : store_(store), syncs_(syncs), synced_(store.change_count()) {}

bool Durability::pending() const {
  return syncs_ != nullptr && !failure_ && (under_way_ || store_.change_count() != synced_);
}

bool Durability::begin() {
  if (under_way_ || !pending()) return under_way_;
  synced_ = store_.change_count();
  under_way_ = true;
  syncs_->send({});
  return true;
}

void Durability::on_synced(const StoreSynced& synced) {
  RINGPOST_ASSERT(under_way_);
  under_way_ = false;
  if (!synced.failure) return;
  failure_ = synced.failure;
  store_.refuse_changes(*failure_);
  log_error("the control store could not be written to the disk (" + describe(*failure_) +
            "): webhooks and tokens cannot be changed until the relay is restarted; events are "
            "still accepted and delivered");
}

}  // namespace ringpost::control
