#include "server/log.h"

#include "base/json_writer.h"
#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace ringpost::server {
namespace {

constexpr size_t queued_lines_max = 8192;

/// Lines on their way to spdlog, which formats and writes them on a thread of its own. Its own
/// asynchronous logger wakes every ten seconds; this one sleeps until there is a line, because a
/// relay at rest does nothing.
class LogThread {
 public:
  explicit LogThread(std::shared_ptr<spdlog::logger> logger)
      : logger_(std::move(logger)), thread_([this] { run(); }) {}
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;
  /// Writes what is queued.
  ~LogThread() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wanted_.notify_one();
    thread_.join();
  }

  spdlog::logger& logger() { return *logger_; }

  /// From any thread. The oldest line gives way where too many wait.
  void push(spdlog::level::level_enum level, std::string text) {
    if (!logger_->should_log(level)) return;
    {
      const std::lock_guard lock(mutex_);
      if (lines_.size() == queued_lines_max) lines_.pop_front();
      lines_.push_back({std::chrono::system_clock::now(), level, std::move(text)});
    }
    wanted_.notify_one();
  }

 private:
  struct Line {
    spdlog::log_clock::time_point at;
    spdlog::level::level_enum level;
    std::string text;
  };

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wanted_.wait(lock, [this] { return stopping_ || !lines_.empty(); });
      if (lines_.empty()) return;
      const std::deque<Line> lines = std::exchange(lines_, {});
      lock.unlock();
      for (const Line& line : lines) {
        logger_->log(line.at, spdlog::source_loc{}, line.level, line.text);
      }
      logger_->flush();
      lock.lock();
    }
  }

  const std::shared_ptr<spdlog::logger> logger_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<Line> lines_;
  bool stopping_ = false;
  std::thread thread_;  // Last: it uses the others.
};

std::unique_ptr<LogThread>& log_thread() {
  static std::unique_ptr<LogThread> thread;
  return thread;
}

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
  log_thread()->push(to_spdlog(level), std::string{text});
}

void write_json(LogLevel level, std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  log_thread()->push(to_spdlog(level), std::move(quoted));
}

}  // namespace

void start_logging(const std::string& level, bool json) {
  auto logger = std::make_shared<spdlog::logger>("ringpost",
                                                 std::make_shared<spdlog::sinks::stderr_sink_st>());
  logger->set_level(spdlog::level::from_str(level));
  logger->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l","message":%v})"
                           : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v",
                      spdlog::pattern_time_type::utc);
  log_thread() = std::make_unique<LogThread>(std::move(logger));
  set_log_sink(json ? write_json : write_text);
}

void set_log_level(const std::string& level) {
  if (log_thread() == nullptr) return;  // Nothing is written at all.
  log_thread()->logger().set_level(spdlog::level::from_str(level));
}

void stop_logging() {
  set_log_sink(nullptr);
  log_thread().reset();
}

}  // namespace ringpost::server
