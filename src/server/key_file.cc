#include "server/key_file.h"

#include "crypto/digest.h"
#include "server/credentials.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sys/stat.h>

namespace ringpost::server {
namespace {

using control::Keyring;
namespace fs = std::filesystem;

/// Without `.`, `..` and links as far as it exists, and without a slash at the end.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path found = fs::weakly_canonical(fs::absolute(path), error);
  if (error) found = fs::absolute(path).lexically_normal();
  return found.has_filename() ? found : found.parent_path();
}

bool lies_inside(const fs::path& path, const fs::path& directory) {
  const fs::path inner = resolved(path);
  const fs::path outer = resolved(directory);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

/// Closes the file at the end of its scope, and keeps no secret in its buffer.
class Reading {
 public:
  Reading(io::Disk& disk, io::File file) : disk_(disk), file_(file) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    crypto::wipe(bytes());
    disk_.close(file_);
  }

  /// One byte more than is allowed, so that more is noticed. @returns false after an error.
  bool read() {
    text_.resize(Keyring::text_bytes_max + 1);
    const auto size = disk_.read_at(file_, 0, bytes());
    text_.resize(size ? *size : 0);
    return size.has_value();
  }
  std::string_view text() const { return text_; }

 private:
  MutableBytes bytes() { return {reinterpret_cast<std::byte*>(text_.data()), text_.size()}; }

  io::Disk& disk_;
  const io::File file_;
  std::string text_;
};

/// Whether others could have read it; 0 if not, else its mode.
mode_t open_mode(io::File file) {
  struct stat status {};
  if (fstat(file.handle, &status) != 0) return 0777;
  const mode_t mode = status.st_mode & 0777;
  return (mode & 077) != 0 ? mode : 0;
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode));
  return text;
}

std::string write_new(io::Disk& disk, const std::string& path, const Keyring& keyring) {
  std::string text = keyring.to_text();
  auto file = disk.open(path, io::Disk::OpenMode::create);
  Result<void> done = file ? Result<void>{} : Result<void>{file.error()};
  if (file) {
    done = disk.write_at(*file, 0, as_bytes(text));
    if (done) done = disk.sync(*file);
    disk.close(*file);
  }
  crypto::wipe({reinterpret_cast<std::byte*>(text.data()), text.size()});
  return done ? std::string{} : describe(done.error());
}

}  // namespace

std::string key_file_path(const Config& config) {
  if (!config.key_file.empty()) return fs::absolute(config.key_file).lexically_normal();
  fs::path path = fs::absolute(config.data_dir).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.string() + ".key";
}

KeyFile read_key_file(io::Disk& disk, const Config& config) {
  const std::string path = key_file_path(config);
  const auto refuse = [&](const std::string& reason) {
    return KeyFile{.problem = path + " " + reason};
  };
  if (lies_inside(path, config.data_dir)) {
    return refuse("is inside the data directory " + config.data_dir +
                  ": a copy of that directory would contain both the secrets and their keys; set "
                  "secrets.key_file to a path outside it");
  }
  const auto file = disk.open(path, io::Disk::OpenMode::read);
  if (!file && file.error().code == Errc::not_found) {
    return {.absent = true, .problem = path + " does not exist"};
  }
  if (!file) {
    return refuse(
        "cannot be opened: " + describe(file.error()) +
        "; the key file must be a regular file, not a link, that the relay's user can read");
  }
  Reading reading(disk, *file);
  if (const mode_t mode = open_mode(*file); mode != 0 && !is_credential(path)) {
    return refuse("can be read by other users (mode " + octal(mode) +
                  "): run `chmod 600` on it, and rotate the keys if another user may have read it");
  }
  if (!reading.read()) return refuse("cannot be read");
  std::string why;
  auto keyring = Keyring::parse(reading.text(), why);
  if (!keyring) return refuse("is not a key file: " + why + "; restore it from a copy");
  return {.keyring = std::move(keyring)};
}

std::string write_key_file(io::Disk& disk, const Config& config, const Keyring& keyring) {
  const std::string path = key_file_path(config);
  const std::string draft = path + ".new";
  const auto fail = [&](const std::string& reason) {
    return path + " cannot be written: " + reason +
           "; its directory must exist, and the relay's user must be allowed to write to it; "
           "secrets.key_file names another place";
  };
  // A crash may have left a draft. There is no one else's: the data directory's lock is held.
  static_cast<void>(disk.remove(draft));
  if (const std::string problem = write_new(disk, draft, keyring); !problem.empty()) {
    static_cast<void>(disk.remove(draft));
    return fail(problem);
  }
  if (const auto renamed = disk.rename(draft, path); !renamed) {
    static_cast<void>(disk.remove(draft));
    return fail(describe(renamed.error()));
  }
  const auto synced = disk.sync_directory(fs::path{path}.parent_path());
  return synced ? std::string{} : fail(describe(synced.error()));
}

}  // namespace ringpost::server
