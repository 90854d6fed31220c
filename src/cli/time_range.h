#pragma once

#include "base/clock.h"

#include <CLI/CLI.hpp>

#include <string>

namespace ringpost::cli {

/// A time as the relay takes it (RFC 3339), from what people type: such a time, a day in UTC
/// (`2031-05-04`, its begin), or how long before `now` (`90m`, `2d`). Anything else stays as it is,
/// for the relay to refuse.
std::string time_from(const std::string& text, WallTime now);

/// `--since` and `--until`. @param what  the begin of their help: "Accepted".
void add_time_range(CLI::App& command, std::string& since, std::string& until,
                    const std::string& what);

}  // namespace ringpost::cli
