#pragma once

#include <string>
#include <unistd.h>

namespace ringpost::control {

/// A descriptor, closed in the end. Negative: none; errno says why.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (is_open()) ::close(descriptor_);
  }
  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

/// A new file is only found again after a crash if its directory was synced too.
/// @returns whether it was; errno says why not.
bool sync_directory_of(const std::string& path);

}  // namespace ringpost::control
