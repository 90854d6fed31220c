#pragma once

#include "base/bytes.h"

#include <array>
#include <cstdint>

namespace ringpost {

/// The key of a hash table that outsiders fill; drawn at start, so that nobody can aim collisions.
using HashKey = std::array<uint64_t, 2>;

/// SipHash-2-4 (Aumasson and Bernstein, 2012) of `bytes` under `key`.
uint64_t siphash(const HashKey& key, Bytes bytes);

}  // namespace ringpost
