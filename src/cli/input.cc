#include "cli/input.h"

#include "base/log.h"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

namespace ringpost::cli {

std::optional<std::string> read_input(const std::string& file) {
  if (file == "-") {
    return std::string{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  }
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad() || (text.empty() && !in.eof())) {  // A directory opens, and cannot be read.
    std::fprintf(stderr, "ringpost: %s cannot be read\n", printable(file).c_str());
    return std::nullopt;
  }
  return text;
}

}  // namespace ringpost::cli
