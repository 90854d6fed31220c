#include "io/read_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace ringpost::io {

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{
      std::fopen(path.c_str(), "rbe"), [](std::FILE* open) { return std::fclose(open); }};
  if (file == nullptr) return error_from_errno(errno, Side::operator_);
  std::string text;
  std::array<char, 16 * 1024> chunk;
  while (const size_t size = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    if (size > bytes_max - text.size()) return Error{Errc::too_large, Side::operator_};
    text.append(chunk.data(), size);
  }
  if (std::ferror(file.get()) != 0) return error_from_errno(errno, Side::operator_);
  return text;
}

}  // namespace ringpost::io
