#pragma once

#include "base/result.h"
#include "control/store/file.h"
#include "control/store/sqlite.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace ringpost::control {

/// Makes what a store has committed durable, in place of the store: for another thread than the
/// store's.
class LogSync {
 public:
  virtual ~LogSync() = default;

  /// Everything committed before is durable on success, also after power loss. After a failure it
  /// never will be known to be: not to be called again. Nobody writes to the store meanwhile;
  /// reading it is allowed. Blocks on the disk.
  virtual Result<void> sync() = 0;
};

/// The write-ahead log of a store's file (Store::take_log).
///
/// All that SQLite would wait for is done here: the sync of each commit, and moving the log's
/// content into the file once the log is long. After that it begins the log anew by a commit that
/// changes nothing, because the first commit in a log waits for the disk.
class WriteAheadLog final : public LogSync {
 public:
  /// From this size on the log is moved into the file.
  static constexpr int64_t bytes_max = int64_t{4} << 20;

  /// @param path  the store's file, which the store has open. Blocks on the disk.
  /// @returns nothing, and `problem` for people, if it cannot be opened.
  static std::unique_ptr<WriteAheadLog> open(const std::string& path, std::string& problem);

  Result<void> sync() override;

 private:
  WriteAheadLog() = default;

  Result<void> open_files(const std::string& path);
  Result<void> begin_anew();
  int64_t bytes() const;

  Database database_;        // A second connection.
  std::optional<File> log_;  // Kept open: the kernel reports to it every write that failed.
  int64_t begin_anew_at_ = bytes_max;
};

}  // namespace ringpost::control
