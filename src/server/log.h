#pragma once

#include "base/log.h"

#include <string>
#include <string_view>

namespace ringpost::server {

/// Sends log lines to standard error through a queue with its own thread, so that a slow
/// reader blocks nobody; when the queue is full the oldest lines are dropped, and counted
/// (base/log.h).
void start_logging(const std::string& level, bool json);
/// The priority of a line for systemd's journal, `<3>`: to be written in front of it. Empty if
/// standard error goes elsewhere.
std::string_view journal_prefix(LogLevel level);
/// From now on; from any thread while the log runs.
void set_log_level(const std::string& level);
/// Writes what is queued, if it is read within a second. The last thing before the
/// process ends.
void stop_logging();

}  // namespace ringpost::server
