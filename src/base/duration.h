#pragma once

#include "base/clock.h"

#include <optional>
#include <string_view>

namespace ringpost {

/// How a duration is written, for an error message: what follows "must be".
inline constexpr const char* duration_forms =
    "a number with a unit (ms, s, m, h or d), as in 500ms, 90s or 12h";

/// `250ms`, `90s`, `15m`, `12h` or `30d`: a whole number and its unit. Only 0 needs none. Nothing
/// for anything else, or for more than 2^32 - 1 seconds, which are about 136 years.
std::optional<Duration> parse_duration(std::string_view text);

}  // namespace ringpost
