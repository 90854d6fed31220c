#include "index/new_file.h"

namespace ringpost::index {

Result<void> NewFile::create() {
  const auto removed = disk_.remove(unfinished_);
  if (!removed && removed.error().code != Errc::not_found) return removed;
  const auto file = disk_.open(unfinished_, io::Disk::OpenMode::create);
  if (!file) return file.error();
  file_ = *file;
  created_ = true;
  return {};
}

Result<void> NewFile::finish() {
  if (auto synced = disk_.sync(file_); !synced) return synced;
  close();
  if (auto renamed = disk_.rename(unfinished_, path_); !renamed) return renamed;
  created_ = false;
  return disk_.sync_directory(directory_);
}

void NewFile::close() {
  if (file_.valid()) disk_.close(file_);
  file_ = {};
}

/// It is nothing, whether it goes or stays.
void NewFile::give_up() {
  close();
  if (created_) static_cast<void>(disk_.remove(unfinished_));
  created_ = false;
}

}  // namespace ringpost::index
