#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "io/completion.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::io {

/// Blocking file work: start-up, recovery and the control thread. A shard's loop never calls it; it
/// only writes to files opened here (Ring::write). PosixDisk is the real one; tests/sim has one
/// that tears and loses unsynced writes.
///
/// Paths are UTF-8 and end without a slash. Errors: as error_from_errno, with Side::disk.
class Disk {
 public:
  Disk() = default;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  virtual ~Disk() = default;

  /// Names (not paths) of the entries of a directory, sorted bytewise, without `.` and `..`.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// Creates a directory (mode 0700) and makes its name durable. Existing is success.
  virtual Result<void> make_directory(const std::string& path) = 0;

  enum class OpenMode : uint8_t {
    read,        ///< An existing file.
    read_write,  ///< An existing file, buffered; `sync` makes writes durable.
    create,      ///< A new file, mode 0600, read and write; Errc::conflict if it exists.
  };
  virtual Result<File> open(const std::string& path, OpenMode mode) = 0;
  /// Opens an existing file for Ring::write and read_at: O_DIRECT|O_DSYNC, or, where the file
  /// system has no O_DIRECT (tmpfs, overlay), O_DSYNC alone. `direct` says which it became.
  virtual Result<File> open_journal(const std::string& path, bool& direct) = 0;
  virtual void close(File file) = 0;

  virtual Result<uint64_t> size(File file) = 0;
  /// Reads up to `into.size()` bytes; fewer only at the end of the file. For files from
  /// open_journal: `offset`, size and address are multiples of 4,096.
  virtual Result<uint64_t> read_at(File file, uint64_t offset, MutableBytes into) = 0;
  /// Writes all of `from` or fails.
  virtual Result<void> write_at(File file, uint64_t offset, Bytes from) = 0;
  /// fdatasync. After a failure the file must not be trusted (reliability rule 2).
  virtual Result<void> sync(File file) = 0;
  /// fsync of a directory: names created, renamed and removed in it are durable.
  virtual Result<void> sync_directory(const std::string& path) = 0;

  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;

  /// Bytes that this process may still write to the file system of `path`.
  virtual Result<uint64_t> free_bytes(const std::string& path) = 0;

  /// Takes an exclusive lock on `path` (created if absent), held until the returned file is closed
  /// or the process ends, however it ends. Errc::locked if another process has it.
  virtual Result<File> lock(const std::string& path) = 0;
};

}  // namespace ringpost::io
