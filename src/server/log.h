#pragma once

#include <string>

namespace ringpost::server {

/// Sends log lines to standard error through a queue with a thread of its own: whoever reads them
/// slowly or never blocks nobody; when the queue is full the oldest lines are dropped, and counted
/// (base/log.h).
void start_logging(const std::string& level, bool json);
/// From now on; from any thread while the log runs.
void set_log_level(const std::string& level);
/// Writes what is queued, as far as somebody takes it within a second. The last thing before the
/// process ends.
void stop_logging();

}  // namespace ringpost::server
