#pragma once

#include "base/bytes.h"

#include <cstdint>

namespace ringpost {

/// CRC-32C (Castagnoli) of `bytes`, continuing from `crc`: crc32c(crc32c(0, a), b) is the checksum
/// of a followed by b. Uses the processor's instruction where the build has one.
uint32_t crc32c(uint32_t crc, Bytes bytes);

/// The same by table, for processors without the instruction; the tests hold one against the other.
uint32_t crc32c_by_table(uint32_t crc, Bytes bytes);

}  // namespace ringpost
