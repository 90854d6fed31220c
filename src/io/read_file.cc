#include "io/read_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace ringpost::io {

namespace {

using OpenFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

OpenFile owned(std::FILE* file) {
  return {file, [](std::FILE* open) { return std::fclose(open); }};
}

Result<std::string> read_all(std::FILE* file, size_t bytes_max) {
  std::string text;
  std::array<char, 16 * 1024> chunk;
  while (const size_t size = std::fread(chunk.data(), 1, chunk.size(), file)) {
    if (size > bytes_max - text.size()) return Error{Errc::too_large, Side::operator_};
    text.append(chunk.data(), size);
  }
  if (std::ferror(file) != 0) return error_from_errno(errno, Side::operator_);
  return text;
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  const OpenFile file = owned(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return error_from_errno(errno, Side::operator_);
  return read_all(file.get(), bytes_max);
}

Result<std::string> read_regular_file(const std::string& path, size_t bytes_max) {
  const int handle = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (handle < 0) return error_from_errno(errno, Side::operator_);
  const OpenFile file = owned(::fdopen(handle, "rb"));
  if (file == nullptr) {
    ::close(handle);
    return Error{Errc::io_failed, Side::operator_};
  }
  struct stat status;
  if (::fstat(handle, &status) != 0) return error_from_errno(errno, Side::operator_);
  const bool is_readable = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
  if (!is_readable) return Error{Errc::unsupported, Side::operator_};
  return read_all(file.get(), bytes_max);
}

}  // namespace ringpost::io
