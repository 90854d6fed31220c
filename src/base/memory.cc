#include "base/memory.h"

/// mimalloc's (<mimalloc.h>). Weak, so that only programs that link it have it: null elsewhere.
extern "C" [[gnu::weak]] void mi_collect(bool force) noexcept;

namespace ringpost {

void return_free_memory() {
  if (mi_collect != nullptr) mi_collect(true);
}

}  // namespace ringpost
