#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ringpost::journal {

// One text as its difference from another of the same kind, line by line: requests to one webhook
// are alike but for a few values. Made for short texts whose lines correspond; any two texts work.

/// Appends to `out` what makes `text` of `base`. A few hundred nanoseconds for a kilobyte.
void encode_delta(std::string_view base, std::string_view text, std::vector<std::byte>& out);

/// Appends the text to `out`. @returns false if the delta does not fit `base` or makes more than
/// `bytes_max`; then `out` holds anything.
bool apply_delta(std::string_view base, Bytes delta, size_t bytes_max, std::vector<std::byte>& out);

}  // namespace ringpost::journal
