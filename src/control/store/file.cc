#include "control/store/file.h"

#include <fcntl.h>
#include <filesystem>

namespace ringpost::control {

bool sync_directory_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path{path}.parent_path();
  const File directory{
      ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return directory.is_open() && ::fsync(directory.descriptor()) == 0;
}

}  // namespace ringpost::control
