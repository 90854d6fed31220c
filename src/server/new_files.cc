#include "server/new_files.h"

#include "server/data_directory.h"
#include "server/key_file.h"

#include <filesystem>
#include <system_error>

namespace ringpost::server {

namespace fs = std::filesystem;

namespace {

/// What cannot be looked at may be there.
bool is_absent(const std::string& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() == fs::file_type::not_found;
}

}  // namespace

NewFiles::NewFiles(const Config& config) {
  const std::string& directory = config.data_dir;
  const std::string store = store_path(config);
  if (!is_absent(store)) return;
  for (const std::string& path :
       {directory + "/journal", directory + "/admin.token", store + "-wal", store + "-shm", store,
        key_file_path(config), directory + "/lock", directory}) {
    if (is_absent(path)) absent_.push_back(path);
  }
}

void NewFiles::remove() const {
  for (const std::string& path : absent_) {
    std::error_code ignored;
    // The data directory itself goes only if nobody else has put anything into it.
    if (path.ends_with("/journal")) {
      fs::remove_all(path, ignored);
    } else {
      fs::remove(path, ignored);
    }
  }
}

}  // namespace ringpost::server
