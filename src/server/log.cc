#include "server/log.h"

#include "base/json_writer.h"
#include "base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace ringpost::server {
namespace {

constexpr size_t queued_lines_max = 8192;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

void write_text(LogLevel level, std::string_view text) {
  spdlog::default_logger_raw()->log(to_spdlog(level), text);
}

void write_json(LogLevel level, std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  spdlog::default_logger_raw()->log(to_spdlog(level), quoted);
}

}  // namespace

void start_logging(const std::string& level, bool json) {
  spdlog::init_thread_pool(queued_lines_max, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger =
      std::make_shared<spdlog::async_logger>("ringpost", std::move(sink), spdlog::thread_pool(),
                                             spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  logger->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l","message":%v})"
                           : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v",
                      spdlog::pattern_time_type::utc);
  spdlog::set_default_logger(std::move(logger));
  set_log_sink(json ? write_json : write_text);
}

void set_log_level(const std::string& level) {
  spdlog::default_logger_raw()->set_level(spdlog::level::from_str(level));
}

void stop_logging() {
  set_log_sink(nullptr);
  spdlog::shutdown();
}

}  // namespace ringpost::server
