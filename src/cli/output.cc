#include "cli/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ringpost::cli {

int finish_output(const char* program, int code, int failed) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return code;
  const char* why = flushed || errno == 0 ? "an earlier write failed" : std::strerror(errno);
  std::fprintf(stderr, "%s: cannot write to standard output, which is therefore incomplete: %s\n",
               program, why);
  return code == 0 ? failed : code;
}

}  // namespace ringpost::cli
