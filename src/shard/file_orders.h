#pragma once

#include "base/result.h"
#include "io/completion.h"

#include <cstdint>
#include <optional>

namespace ringpost::shard {

// Between a shard, which reads events back from journals itself, and the journal thread, which
// opens and closes the files, because that may block.

/// A segment is to be read: answered by FileOpened. Or a file is not needed any more.
struct FileOrder {
  uint16_t journal = 0;
  uint32_t segment = 0;
  io::File unused;  ///< Valid: to be closed; the rest does not count.
};

struct FileOpened {
  uint16_t journal = 0;
  uint32_t segment = 0;
  io::File file;
  std::optional<Error> error;  ///< Why there is none.
};

}  // namespace ringpost::shard
