#include "server/admin_token.h"

#include "control/api/tokens.h"
#include "control/control.h"
#include "crypto/random.h"
#include "io/posix_disk.h"
#include "server/data_directory.h"
#include "subscription/patterns.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <sys/stat.h>
#include <unistd.h>

namespace ringpost::server {
namespace {

std::string object_to_token_name(const std::string& name) {
  const auto objection = subscription::object_to_name(name, control::token_name_bytes_max);
  if (!objection.empty()) return "the token's name " + std::string{objection};
  if (!name.starts_with(control::login_token_prefix)) return {};
  return "the token's name begins with \"login \", which is reserved for login tokens";
}

void make(DataDirectory& directory, const std::string& name, const std::string& file,
          AdminToken& made) {
  uint64_t seed = 0;
  crypto::fill(std::as_writable_bytes(std::span{&seed, 1}));
  Prng random{seed};
  const auto keep = [&](const std::string& text) {
    if (file.empty() || write_token_file(file, text, false)) return true;
    made.problem = file + ": " + std::strerror(errno) +
                   "; no token was created: name a file that does not exist yet";
    return false;
  };
  const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  auto token = control::add_admin_token(*directory.store, now, random, name, keep);
  if (token) {
    made.text = std::move(*token);
  } else if (made.problem.empty()) {
    made.problem = directory.store->last_problem();
  }
}

}  // namespace

bool write_token_file(const std::string& path, const std::string& token, bool replace) {
  const int how = replace ? O_TRUNC : O_EXCL;
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | how | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return false;
  const std::string line = token + "\n";
  const bool written = fchmod(file, 0600) == 0 &&
                       write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                       fsync(file) == 0;
  return close(file) == 0 && written;
}

AdminToken make_admin_token(io::Disk& disk, const Config& config, const std::string& name,
                            const std::string& file) {
  AdminToken made;
  made.problem = object_to_token_name(name);
  if (!made.problem.empty()) return made;
  auto directory = open_data_directory(disk, config, IfAbsent::refuse, made.problem);
  if (!directory) return made;
  make(*directory, name, file, made);
  directory->store.reset();
  disk.close(directory->lock);
  return made;
}

int add_admin_token(const Config& config, const std::string& name, const std::string& file) {
  forbid_core_files();
  io::PosixDisk disk;
  const AdminToken made = make_admin_token(disk, config, name, file);
  if (!made.problem.empty()) {
    std::fprintf(stderr, "ringpost: %s\n", made.problem.c_str());
    return 1;
  }
  if (file.empty()) {
    std::printf("%s\n", made.text.c_str());
    std::fprintf(
        stderr,
        "This admin token is shown only once. It is valid as soon as the relay starts. Then remove "
        "the lost one: ringpost token list, ringpost token remove ID\n");
  } else {
    std::printf("the admin token is in %s; it is valid as soon as the relay starts\n",
                file.c_str());
  }
  return 0;
}

}  // namespace ringpost::server
