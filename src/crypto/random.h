#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace ringpost::crypto {

/// Fills `bytes` with unpredictable bytes: for secrets, tokens and hash keys. From any thread. A
/// system that cannot give them ends the process (the library aborts): nothing may go on without.
void fill(MutableBytes bytes);

/// A secret to be copied by hand: `prefix`, then `bytes` random bytes as hexadecimal digits. At
/// least 16 bytes (reliability: 128 random bits).
std::string token(std::string_view prefix, size_t bytes);

}  // namespace ringpost::crypto
