#pragma once

#include "io/disk.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ringpost::journal::test {

/// Files in memory, with a hook that may fail any call. Copying the whole disk is a snapshot.
class FakeDisk final : public io::Disk {
 public:
  using Contents = std::vector<std::byte>;

  // --- for tests ---

  /// Asked before each operation; an errno makes it fail.
  std::function<int(const std::string& operation, const std::string& path)> fault;
  uint64_t capacity = uint64_t{1} << 40;
  bool direct = true;
  std::map<std::string, uint64_t> calls;  ///< By operation.

  bool exists(const std::string& path) const { return files_.contains(path); }
  Contents& contents(const std::string& path) { return *files_.at(path); }
  void put(const std::string& path, Contents bytes) {
    files_[path] = std::make_shared<Contents>(std::move(bytes));
  }
  void erase(const std::string& path) { files_.erase(path); }
  void copy_from(const FakeDisk& other);
  std::vector<std::string> paths() const;
  size_t open_count() const { return handles_.size(); }
  Contents& contents(io::File file) { return *handles_.at(file.handle).contents; }

  // --- io::Disk ---

  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override;
  Result<io::File> open(const std::string& path, OpenMode mode) override;
  Result<io::File> open_journal(const std::string& path, bool& is_direct) override;
  void close(io::File file) override;
  Result<uint64_t> size(io::File file) override;
  Result<uint64_t> read_at(io::File file, uint64_t offset, MutableBytes into) override;
  Result<void> write_at(io::File file, uint64_t offset, Bytes from) override;
  Result<void> sync(io::File file) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<uint64_t> free_bytes(const std::string& path) override;
  Result<io::File> lock(const std::string& path) override;

 private:
  struct Handle {
    std::string path;
    std::shared_ptr<Contents> contents;
    bool journal = false;
    bool read_only = false;
  };

  Result<void> check(const std::string& operation, const std::string& path);
  io::File add(Handle handle);
  uint64_t used() const;

  std::map<std::string, std::shared_ptr<Contents>> files_;
  std::map<std::string, bool> directories_;
  std::map<int32_t, Handle> handles_;
  int32_t next_handle_ = 3;
};

}  // namespace ringpost::journal::test
