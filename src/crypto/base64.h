#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace ringpost::crypto {

/// RFC 4648, section 4: the standard alphabet, with padding.
std::string base64_encode(Bytes bytes);
void append_base64(std::string& out, Bytes bytes);

/// Strict: padding must be there, its unused bits must be zero, nothing else may be in the text.
/// So each byte sequence has one spelling. @returns the bytes, or Errc::malformed.
Result<std::string> base64_decode(std::string_view text);

}  // namespace ringpost::crypto
