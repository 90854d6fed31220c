#include "server/log.h"

#include "base/json_writer.h"
#include "base/log.h"
#include "io/process.h"
#include "server/service_manager.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <utility>

namespace ringpost::server {
namespace {

constexpr size_t queued_lines_max = 8192;

/// How long a stop waits for a reader of what is still to be written, and how long for a write that
/// does not come back at all (a file on a server that is gone).
constexpr Duration stop_time = std::chrono::seconds{1};
constexpr std::chrono::seconds stuck_time{3};
/// How often a writer that waits for its reader looks whether the log is to stop.
constexpr Duration look_interval = std::chrono::milliseconds{100};

using Clock = std::chrono::steady_clock;

LogLevel from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug: return LogLevel::debug;
    case spdlog::level::warn: return LogLevel::warning;
    case spdlog::level::err:
    case spdlog::level::critical: return LogLevel::error;
    default: return LogLevel::info;
  }
}

/// Writes to standard error, and waits for whoever reads it; from the stop on no longer than
/// stop_time for everything.
class StandardError final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  /// From any thread.
  void stop() { shared_stop_at_.store((Clock::now() + stop_time).time_since_epoch()); }
  /// Whether the last line was written.
  bool written() const { return written_; }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    const std::string_view prefix = journal_prefix(from_spdlog(message.level));
    line.append(prefix.data(), prefix.data() + prefix.size());
    formatter_->format(message, line);
    written_ = write({line.data(), line.size()});
    if (!written_) count_dropped_log_lines(1);
  }
  void flush_() override {}

 private:
  bool write(std::string_view text) const {
    while (true) {
      const io::Written written = io::write_within(STDERR_FILENO, text, look_interval);
      if (written != io::Written::timed_out) return written == io::Written::all;
      if (Clock::now().time_since_epoch() >= shared_stop_at_.load()) return false;
    }
  }

  bool written_ = true;
  std::atomic<Clock::duration> shared_stop_at_{Clock::duration::max()};  ///< stop() sets it.
};

/// Lines on their way to spdlog, which formats them, on a thread that may wait for their reader.
/// Its own asynchronous logger wakes every ten seconds; this one sleeps until there is a line,
/// because a relay at rest does nothing.
class LogThread {
 public:
  LogThread(std::shared_ptr<spdlog::logger> logger, std::shared_ptr<StandardError> sink)
      : logger_(std::move(logger)), sink_(std::move(sink)) {
    const bool started = io::start_thread(thread_, "log", [this] { run(); });
    if (!started) throw std::runtime_error(io::explain_thread_failure());
  }
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;
  ~LogThread() { thread_.join(); }  // After a `stop` that returned true.

  /// Writes what is queued, as far as somebody takes it.
  /// @returns false if the thread hangs in a write: then this object has to stay.
  bool stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    sink_->stop();
    wanted_.notify_one();
    return ended_.wait_for(lock, stuck_time, [this] { return has_ended_; });
  }

  spdlog::logger& logger() { return *logger_; }

  /// From any thread. The oldest line gives way where too many wait.
  void push(spdlog::level::level_enum level, std::string text) {
    if (!logger_->should_log(level)) return;
    {
      const std::lock_guard lock(mutex_);
      if (lines_.size() == queued_lines_max) {
        lines_.pop_front();
        count_dropped_log_lines(1);
      }
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
      if (lines_.empty()) break;
      const Line line = std::move(lines_.front());
      lines_.pop_front();
      lock.unlock();
      logger_->log(line.at, spdlog::source_loc{}, line.level, line.text);
      tell_of_dropped();
      lock.lock();
    }
    has_ended_ = true;
    ended_.notify_one();
  }

  /// Once lines are read again.
  void tell_of_dropped() {
    const uint64_t dropped = dropped_log_lines();
    if (dropped == told_ || !sink_->written()) return;
    log_warning(std::to_string(dropped - told_) +
                " log lines were dropped, because nobody read standard error");
    told_ = dropped;
  }

  const std::shared_ptr<spdlog::logger> logger_;
  const std::shared_ptr<StandardError> sink_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable ended_;
  std::deque<Line> lines_;
  bool stopping_ = false;
  bool has_ended_ = false;
  uint64_t told_ = dropped_log_lines();  ///< The thread's own.
  std::thread thread_;
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

std::string_view journal_prefix(LogLevel level) {
  static const bool to_journal = logs_to_journal();
  if (!to_journal) return {};
  switch (level) {  // As syslog(3) numbers them.
    case LogLevel::debug: return "<7>";
    case LogLevel::info: return "<6>";
    case LogLevel::warning: return "<4>";
    case LogLevel::error: return "<3>";
  }
  return {};
}

void start_logging(const std::string& level, bool json) {
  auto sink = std::make_shared<StandardError>();
  auto logger = std::make_shared<spdlog::logger>("ringpost", sink);
  logger->set_level(spdlog::level::from_str(level));
  logger->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l","message":%v})"
                      : journal_prefix(LogLevel::info).empty() ? "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v"
                                                               : "%-7l %v",  // It knows the time.
                      spdlog::pattern_time_type::utc);
  log_thread() = std::make_unique<LogThread>(std::move(logger), std::move(sink));
  set_log_sink(json ? write_json : write_text);
}

void set_log_level(const std::string& level) {
  if (log_thread() == nullptr) return;  // Nothing is written at all.
  log_thread()->logger().set_level(spdlog::level::from_str(level));
}

void stop_logging() {
  if (log_thread() == nullptr) return;
  set_log_sink(nullptr);
  if (log_thread()->stop()) {
    log_thread().reset();
  } else {
    [[maybe_unused]] const LogThread* const stuck = log_thread().release();  // It uses itself.
  }
}

}  // namespace ringpost::server
