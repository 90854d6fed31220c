#include "control/store/log_sync.h"

#include "base/log.h"
#include "control/store/schema.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ringpost::control {

std::unique_ptr<WriteAheadLog> WriteAheadLog::open(const std::string& path, std::string& problem) {
  std::unique_ptr<WriteAheadLog> log{new WriteAheadLog};
  const auto opened = log->open_files(path);
  if (opened) return log;
  problem = path + "-wal: the write-ahead log cannot be opened: " + describe(opened.error());
  return nullptr;
}

Result<void> WriteAheadLog::open_files(const std::string& path) {
  // It never waits for others' locks: what they stop is tried again later.
  if (auto opened = database_.open(path, 0); !opened) return opened;
  if (auto set = database_.execute("PRAGMA synchronous = FULL"); !set) return set;
  // A program that reads the file stops this alone: the log then goes on as it is.
  auto begun = begin_anew();
  if (!begun && begun.error().code != Errc::locked) return begun;
  // SQLite holds its locks on the file and on `-shm`: closing this descriptor drops none.
  log_.emplace(::open((path + "-wal").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!log_->is_open() || !sync_directory_of(path)) return error_from_errno(errno, Side::disk);
  return {};
}

Result<void> WriteAheadLog::sync() {
  if (::fdatasync(log_->descriptor()) != 0) return error_from_errno(errno, Side::disk);
  if (bytes() < begin_anew_at_) return {};
  begin_anew_at_ = bytes_max;
  if (const auto begun = begin_anew(); !begun) {  // The log still has everything.
    begin_anew_at_ = bytes() + bytes_max;
    log_warning("the control store's write-ahead log could not be moved into its file: " +
                describe(begun.error()) + "; this is tried again when the log has grown");
  }
  return {};
}

/// Moves the log's content into the file, durably, and leaves a log with one commit in it.
Result<void> WriteAheadLog::begin_anew() {
  const auto busy = database_.query_integer("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!busy) return busy.error();
  if (*busy != 0) return Error{Errc::locked, Side::operator_};
  return database_.execute("PRAGMA user_version = " + std::to_string(schema_version));
}

int64_t WriteAheadLog::bytes() const {
  struct stat status {};
  return ::fstat(log_->descriptor(), &status) == 0 ? int64_t{status.st_size} : 0;
}

}  // namespace ringpost::control
