#include "server/secrets.h"

#include "crypto/digest.h"
#include "crypto/scrypt.h"
#include "io/posix_disk.h"
#include "server/data_directory.h"
#include "server/key_file.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <optional>
#include <termios.h>
#include <unistd.h>

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

/// While it lives, what is typed is not shown, and an interrupt ends the read instead of the
/// process: the terminal must not stay silent.
class SilentTerminal {
 public:
  SilentTerminal() : is_terminal_(tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!is_terminal_) return;
    struct sigaction interrupt {};
    interrupt.sa_handler = [](int) {};  // Without SA_RESTART: read() returns EINTR.
    for (size_t i = 0; i < std::size(signals); ++i) sigaction(signals[i], &interrupt, &actions_[i]);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (!is_terminal_) return;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    for (size_t i = 0; i < std::size(signals); ++i) sigaction(signals[i], &actions_[i], nullptr);
  }

  bool is_terminal() const { return is_terminal_; }

  /// Reads a line; what follows it in the same read is passed over.
  /// @returns nothing after an interrupt or an error; what comes beyond the limit is one byte more.
  std::optional<std::string> ask(const char* prompt) const {
    if (is_terminal_) std::fputs(prompt, stderr);
    std::string line;
    while (line.size() <= crypto::password_bytes_max) {
      char byte = 0;
      const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
      if (got < 0) return std::nullopt;
      if (got == 0 || byte == '\n') break;
      line += byte;
    }
    if (is_terminal_) std::fputc('\n', stderr);
    return line;
  }

 private:
  static constexpr int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP};

  termios before_{};
  struct sigaction actions_[std::size(signals)]{};
  const bool is_terminal_;
};

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
    const SilentTerminal terminal;
    password = terminal.ask("Password: ");
    if (password && terminal.is_terminal()) again = terminal.ask("Repeat: ");
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
