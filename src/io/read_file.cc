#include "io/read_file.h"

#include <array>
#include <fstream>

namespace ringpost::io {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string text;
  std::array<char, 16 * 1024> chunk;
  do {
    in.read(chunk.data(), chunk.size());  // A directory opens, but does not read: `bad`.
    text.append(chunk.data(), static_cast<size_t>(in.gcount()));
  } while (in);
  if (in.bad()) return std::nullopt;
  return text;
}

}  // namespace ringpost::io
