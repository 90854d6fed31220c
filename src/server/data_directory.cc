#include "server/data_directory.h"

#include "base/log.h"
#include "io/read_file.h"
#include "server/file_system.h"
#include "server/helper_thread.h"
#include "server/hosts.h"
#include "server/key_file.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sys/prctl.h>
#include <unistd.h>
#include <vector>

namespace ringpost::server {
namespace {

/// For whoever finds it locked: the file says who holds it. Of use only while it is locked.
void sign_lock(const io::File& lock) {
  const std::string host = machine_name();
  const std::string text = "process " + std::to_string(getpid()) +
                           (host.empty() ? "" : " on " + host) + ", since " +
                           to_rfc3339(wall_clock_now()) + "\n";
  // Not more than help: the lock holds without it.
  if (ftruncate(lock.handle, 0) != 0) return;
  [[maybe_unused]] const auto written = pwrite(lock.handle, text.data(), text.size(), 0);
}

/// As `sign_lock` wrote it, in brackets; empty if nobody can tell.
std::string holder_of(const std::string& path) {
  constexpr size_t bytes_max = 256;
  const auto text = io::read_file(path);
  if (!text || !text->starts_with("process ")) return {};
  return " (" + printable(text->substr(0, std::min(text->find('\n'), bytes_max))) + ")";
}

/// @param if_absent  make: for a relay that starts; refuse: for a command that needs a stopped one.
/// @returns a problem; empty if the lock is ours.
std::string take_lock(io::Disk& disk, const Config& config, IfAbsent if_absent,
                      DataDirectory& into) {
  const auto lock = disk.lock(config.data_dir + "/lock");
  if (lock) {
    into.lock = *lock;
    sign_lock(into.lock);
    return {};
  }
  if (lock.error().code != Errc::locked) {
    return config.data_dir + "/lock cannot be locked: " + describe(lock.error());
  }
  const std::string place = config.data_dir + holder_of(config.data_dir + "/lock");
  if (if_absent == IfAbsent::refuse) {
    return "a relay is running with the data directory " + place + ": stop it first";
  }
  return "another relay is running with the data directory " + place +
         ": stop it, or choose another directory with --data-dir";
}

/// @returns a problem; empty if there are keys.
std::string take_keys(io::Disk& disk, const Config& config, DataDirectory& into) {
  KeyFile file = read_key_file(disk, config);
  if (file.keyring) {
    into.keyring = std::move(*file.keyring);
    return {};
  }
  if (!file.absent) return file.problem;
  std::string problem;
  const auto sealed = control::Store::is_sealed(store_path(config), problem);
  if (!sealed) return problem;
  if (*sealed) {
    return key_file_path(config) + " is missing, and the secrets in " + store_path(config) +
           " cannot be read without it: restore it from a copy, or set secrets.key_file to its "
           "path; no new key was created";
  }
  into.keyring = control::Keyring{}.with_new_key();
  return write_key_file(disk, config, into.keyring);
}

std::string open_parts(io::Disk& disk, const Config& config, IfAbsent if_absent,
                       DataDirectory& into) {
  if (std::string problem = take_lock(disk, config, if_absent, into); !problem.empty()) {
    return problem;
  }
  // Another relay may have begun in between: then the files are that one's.
  if (::access(store_path(config).c_str(), F_OK) == 0) into.made = {};
  if (std::string problem = take_keys(disk, config, into); !problem.empty()) return problem;
  auto opened = control::Store::open(store_path(config), {.keyring = into.keyring});
  into.store = std::move(opened.store);
  return opened.problem;
}

}  // namespace

std::string store_path(const Config& config) {
  return config.data_dir + "/control.db";
}

std::string object_to_rights(const Config& config) {
  namespace fs = std::filesystem;
  const std::string journal = config.data_dir + "/journal";
  std::vector<std::string> paths{config.data_dir, config.data_dir + "/lock", store_path(config),
                                 journal};
  std::error_code ignored;
  for (const auto& one : fs::directory_iterator{journal, ignored}) {
    paths.push_back(one.path().string());
    for (const auto& file : fs::directory_iterator{one.path(), ignored}) {
      paths.push_back(file.path().string());
    }
  }
  for (const std::string& path : paths) {
    if (::access(path.c_str(), R_OK | W_OK) == 0 || errno == ENOENT) continue;
    const int fault = errno;
    const std::string remedy = fault == EROFS
                                   ? "mount its file system so that it can be written"
                                   : "run the relay as their owner, or give its user, number " +
                                         std::to_string(geteuid()) +
                                         ", the data directory with all that is in it: chown -R";
    return path + " cannot be written: " + describe(error_from_errno(fault, Side::disk)) + "; " +
           remedy;
  }
  return {};
}

std::optional<DataDirectory> open_data_directory(io::Disk& disk, const Config& config,
                                                 IfAbsent if_absent, std::string& problem) {
  if (if_absent == IfAbsent::refuse && ::access(store_path(config).c_str(), F_OK) != 0) {
    problem = store_path(config) +
              " does not exist or cannot be accessed: give the relay's data directory with "
              "--data-dir or --config";
    return std::nullopt;
  }
  DataDirectory directory;
  if (if_absent == IfAbsent::make) directory.made = NewFiles{config};
  if (const auto made = disk.make_directory(config.data_dir); !made) {
    problem = object_to_data_dir(config.data_dir);
    if (!problem.empty()) return std::nullopt;
    problem = config.data_dir + " cannot be created: " + describe(made.error()) +
              "; choose another directory with --data-dir";
    return std::nullopt;
  }
  problem = object_to_rights(config);
  if (problem.empty() && !config.accept_network_disk) {
    problem = object_to_file_system(config.data_dir);
  }
  if (problem.empty()) problem = open_parts(disk, config, if_absent, directory);
  if (problem.empty()) return directory;
  if (directory.lock.valid()) {
    directory.made.remove();
    disk.close(directory.lock);
  }
  return std::nullopt;
}

void forbid_core_files() {
  prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace ringpost::server
