#pragma once

#include "base/result.h"
#include "io/disk.h"

#include <cstdint>
#include <string>

namespace ringpost::index {

/// A file in the making that is there as a whole or not at all, also after a crash: it is written
/// under another name, synced, renamed, and the directory is synced. One that is there already is
/// replaced; until then, and after an error, there is the old one. Blocking.
class NewFile {
 public:
  /// @param disk  outlives it. @param directory  of the file; `name` and `unfinished` are in it.
  NewFile(io::Disk& disk, std::string directory, const std::string& name,
          const std::string& unfinished)
      : disk_(disk),
        directory_(std::move(directory)),
        path_(directory_ + '/' + name),
        unfinished_(directory_ + '/' + unfinished) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() { give_up(); }

  /// Begins it. What a crash left under the name of an unfinished one goes.
  Result<void> create();
  Result<void> write_at(uint64_t offset, Bytes bytes) {
    return disk_.write_at(file_, offset, bytes);
  }
  Result<void> finish();

 private:
  void close();
  void give_up();

  io::Disk& disk_;
  const std::string directory_;
  const std::string path_;
  const std::string unfinished_;
  io::File file_;
  bool created_ = false;
};

}  // namespace ringpost::index
