#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace ringpost::crypto {

/// Lower-case hexadecimal digits, two per byte.
std::string hex_encode(Bytes bytes);
void append_hex(std::string& out, Bytes bytes);

/// Digits of either case, an even number of them. @returns the bytes, or Errc::malformed.
Result<std::string> hex_decode(std::string_view text);

}  // namespace ringpost::crypto
