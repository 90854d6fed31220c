#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ringpost {

enum class LogLevel : uint8_t { debug, info, warning, error };

std::string_view name(LogLevel level);

/// Where log lines go. The server sets one that never blocks its caller; until then, and in tests,
/// lines are dropped.
using LogSink = void (*)(LogLevel level, std::string_view text);

/// Replaces the sink, from one thread at start; nullptr drops lines again.
void set_log_sink(LogSink sink);

/// Logs one line, as `printable` shows it: one call is one line, and no terminal obeys it. From any
/// thread.
void log(LogLevel level, std::string_view text);

/// Lines that were logged and not written, since the process began: the sink counts them. From any
/// thread.
void count_dropped_log_lines(uint64_t count);
uint64_t dropped_log_lines();

inline void log_info(std::string_view text) {
  log(LogLevel::info, text);
}
inline void log_warning(std::string_view text) {
  log(LogLevel::warning, text);
}
inline void log_error(std::string_view text) {
  log(LogLevel::error, text);
}

/// `text` with control bytes written as \xNN, and what else is_unprintable names as \uNNNN.
std::string printable(std::string_view text);

}  // namespace ringpost
