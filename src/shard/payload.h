#pragma once

#include "base/result.h"
#include "journal/position.h"
#include "journal/record.h"

#include <cstdint>

namespace ringpost::shard {

// Between a shard and the journal thread.

/// A delivery is due whose event is no longer in memory.
struct PayloadWanted {
  journal::Position event;
  uint64_t ticket = 0;  ///< Handed back in PayloadRead.
};

struct PayloadRead {
  uint64_t ticket = 0;
  journal::EventRef event;  ///< Empty if the record is damaged or gone: `error` says which.
  Error error{};
};

}  // namespace ringpost::shard
