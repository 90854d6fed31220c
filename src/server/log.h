#pragma once

#include <string>

namespace ringpost::server {

/// Sends log lines to standard error through a queue with its own thread, so that a slow
/// reader blocks nobody; when the queue is full the oldest lines are dropped, and counted
/// (base/log.h).
void start_logging(const std::string& level, bool json);
/// From now on; from any thread while the log runs.
void set_log_level(const std::string& level);
/// Writes what is queued, if it is read within a second. The last thing before the
/// process ends.
void stop_logging();

}  // namespace ringpost::server
