#include "server/secrets.h"

#include "crypto/digest.h"
#include "crypto/scrypt.h"
#include "io/posix_disk.h"
#include "io/silent_terminal.h"
#include "server/data_directory.h"
#include "server/key_file.h"

#include <cstdio>
#include <optional>

namespace ringpost::server {
namespace {

/// NIST SP 800-63B, 5.1.1: a password that a person chose has at least 8 characters.
constexpr size_t password_bytes_min = 8;

int fail(const std::string& problem) {
  std::fprintf(stderr, "ringpost: %s\n", problem.c_str());
  return 1;
}

/// Opens the store with the new key alone and everything in it: only then may the old keys go.
std::string see_that_it_opens(const Config& config, const control::Keyring& keyring,
                              uint64_t& webhooks) {
  const auto opened = control::Store::open(config.data_dir + "/control.db", {.keyring = keyring});
  if (opened.store == nullptr) return opened.problem;
  const auto loaded = opened.store->load([&](subscription::Webhook&&) { ++webhooks; },
                                         [](subscription::Token&&) {});
  if (!loaded) return std::string{opened.store->last_problem()};
  const auto users = opened.store->users().load([](control::User&&) {});
  if (!users) return std::string{opened.store->last_problem()};
  const auto sources = opened.store->load_git_sources([](subscription::GitSource&&) {});
  return sources ? std::string{} : std::string{opened.store->last_problem()};
}

std::string rotate(io::Disk& disk, const Config& config, DataDirectory& directory,
                   RotationResult& result) {
  const std::string path = key_file_path(config);
  if (directory.keyring.keys().size() == control::Keyring::keys_max) {
    return path +
           " holds 64 keys, from interrupted rotations: keep a copy of it, remove keys from "
           "it, "
           "and put back the one that a start then asks for";
  }
  const control::Keyring both = directory.keyring.with_new_key();
  if (std::string problem = write_key_file(disk, config, both); !problem.empty()) return problem;
  const std::string mend =
      "; " + path + " still has all keys, so nothing is lost: run this command again";
  if (const auto resealed = directory.store->reseal(both); !resealed) {
    return std::string{directory.store->last_problem()} + mend;
  }
  directory.store.reset();
  const control::Keyring next = both.first_only();
  if (const auto problem = see_that_it_opens(config, next, result.webhooks); !problem.empty()) {
    return problem + mend;
  }
  result.key_id = control::to_text(next.keys().front().id);
  return write_key_file(disk, config, next);
}

}  // namespace

// open_data_directory ─> new key in front ─> reseal ─> see that it opens ─> old keys out

RotationResult rotate_keys(io::Disk& disk, const Config& config) {
  RotationResult result;
  auto directory = open_data_directory(disk, config, IfAbsent::refuse, result.problem);
  if (!directory) return result;
  result.problem = rotate(disk, config, *directory, result);
  directory->store.reset();
  disk.close(directory->lock);
  return result;
}

int rotate_secrets(const Config& config) {
  forbid_core_files();
  io::PosixDisk disk;
  const RotationResult result = rotate_keys(disk, config);
  if (!result.problem.empty()) return fail(result.problem);
  std::printf(
      "secrets of %llu webhooks encrypted with the new key %s; older keys were removed from %s\n"
      "older backups of the data directory need the older key file\n",
      static_cast<unsigned long long>(result.webhooks), result.key_id.c_str(),
      key_file_path(config).c_str());
  return 0;
}

int hash_password() {
  forbid_core_files();
  std::optional<std::string> password;
  std::optional<std::string> again;
  {
    const io::SilentTerminal terminal;
    password = terminal.ask("Password: ", crypto::password_bytes_max);
    if (password && terminal.is_terminal())
      again = terminal.ask("Repeat: ", crypto::password_bytes_max);
    if (!terminal.is_terminal()) again = password;
  }
  if (!password || !again) return fail("no password was read");
  if (*password != *again) return fail("the two passwords differ; no hash was made");
  if (password->empty()) {
    return fail("the password is empty: type one, or send it as the first line of standard input");
  }
  if (password->size() < password_bytes_min) {
    return fail("the password is too short: use at least 8 characters; no hash was made");
  }
  if (password->size() > crypto::password_bytes_max) {
    return fail("the password is longer than 1024 bytes");
  }
  const std::string text = crypto::PasswordHash::of(*password).to_text();
  for (std::string* secret : {&*password, &*again}) {
    crypto::wipe({reinterpret_cast<std::byte*>(secret->data()), secret->size()});
  }
  std::printf("%s\n", text.c_str());
  return 0;
}

}  // namespace ringpost::server
