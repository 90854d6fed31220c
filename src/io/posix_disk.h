#pragma once

#include "io/disk.h"

namespace ringpost::io {

/// Disk on a real file system. Stateless; from any thread.
///
/// Only regular files are opened, and no symbolic link is followed to one (Errc::io_failed, ELOOP).
/// The directories on the way, and directories themselves, may be links: operators move them to
/// other volumes. Descriptors are close-on-exec.
class PosixDisk : public Disk {
 public:
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override;
  Result<File> open(const std::string& path, OpenMode mode) override;
  Result<File> open_journal(const std::string& path, bool& direct) override;
  void close(File file) override;
  Result<uint64_t> size(File file) override;
  Result<uint64_t> read_at(File file, uint64_t offset, MutableBytes into) override;
  Result<void> write_at(File file, uint64_t offset, Bytes from) override;
  Result<void> sync(File file) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<uint64_t> free_bytes(const std::string& path) override;
  Result<File> lock(const std::string& path) override;
};

}  // namespace ringpost::io
