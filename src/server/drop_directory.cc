#include "server/drop_directory.h"

#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "http/problem.h"
#include "json/document.h"
#include "json/fault.h"
#include "json/path.h"
#include "server/helper_thread.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <limits.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ringpost::server {
namespace {

/// Of what does not work: a directory that is away, a file system that is read-only.
constexpr Duration trouble_pause = std::chrono::seconds{10};
/// While the relay refuses: from the first to the last, unless it says more.
constexpr Duration pause_min = std::chrono::seconds{1};
constexpr Duration pause_max = std::chrono::seconds{30};
/// `new/` is read again after this time if nothing tells of changes, and now and then if something
/// does: files may come by a link, too.
constexpr Duration unwatched_pause = std::chrono::seconds{2};
constexpr Duration watched_pause = std::chrono::seconds{60};
/// One line of the log in this time tells of files that were set aside.
constexpr Duration told_interval = std::chrono::seconds{10};

/// So many troubles of one directory go to the log.
constexpr size_t told_max = 100;

/// Names are read and sorted this many at a time.
constexpr size_t names_max = 4096;

/// simdjson's.
constexpr size_t padding_bytes = 64;

constexpr uint32_t json_levels_max = 128;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string why_not(int errno_value) {
  return std::strerror(errno_value);
}

http::Response reason_of(std::string detail, uint16_t status = 422) {
  return http::problem_response(
      {.status = status, .type = "urn:ringpost:invalid-file", .detail = std::move(detail)});
}

/// Seconds of the header Retry-After; 0: it has none.
uint32_t retry_after_of(const http::Response& response) {
  for (const http::Header& header : response.headers) {
    uint32_t seconds = 0;
    const char* end = header.value.data() + header.value.size();
    if (header.name == "Retry-After" &&
        std::from_chars(header.value.data(), end, seconds).ec == std::errc{}) {
      return seconds;
    }
  }
  return 0;
}

/// Whether the file is at fault, and will be for ever. (401 and 403 are about tokens: there are
/// none.)
bool is_final(uint16_t status) {
  return status >= 400 && status < 500 && status != 429;
}

bool is_shortage(int errno_value) {
  return errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOMEM ||
         errno_value == EINTR;
}

/// When the file came into being, in which no program has a say; empty where the file system does
/// not keep it.
std::string born_at(int directory, const std::string& name) {
  struct statx facts {};
  const int done = statx(directory, name.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &facts);
  if (done != 0 || (facts.stx_mask & STATX_BTIME) == 0) return {};
  return std::to_string(facts.stx_btime.tv_sec) + '.' + std::to_string(facts.stx_btime.tv_nsec);
}

/// The same after a crash, and another one for another file, even of the same name and time.
std::string file_id(int directory, const std::string& name, const struct stat& status) {
  const std::string text = name + '\0' + std::to_string(status.st_mtim.tv_sec) + '.' +
                           std::to_string(status.st_mtim.tv_nsec) + '\0' + born_at(directory, name);
  return "drop-" + crypto::hex_encode(crypto::bytes_of(crypto::sha256(as_bytes(text))).first(16));
}

/// A pass may move nothing over a file that is there.
int rename_new(int from, const char* old_name, int to, const char* new_name) {
  if (renameat2(from, old_name, to, new_name, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  if (faccessat(to, new_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    errno = EEXIST;
    return -1;
  }
  return renameat(from, old_name, to, new_name);
}

/// Opens the directory `name`, which is made if it is missing.
OwnedFd open_part(int root, const char* name, std::string& why) {
  if (mkdirat(root, name, 0770) != 0 && errno != EEXIST) {
    why = std::string{name} + "/ cannot be made: " + why_not(errno);
    return OwnedFd{};
  }
  OwnedFd fd{openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd.valid()) why = std::string{name} + "/ cannot be opened: " + why_not(errno);
  return fd;
}

/// `text` as it is while it is short enough to have `.reason` behind it.
std::string shortened(const std::string& name) {
  return name.substr(0, NAME_MAX - 48);
}

}  // namespace

std::string_view content_type_of(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  if (begin < text.size() && text[begin] == '[') return "application/cloudevents-batch+json";
  const size_t end = std::min(text.find('\n', begin), text.size());
  const bool one_line = is_blank(text.substr(end));
  const bool first_is_whole =
      !json::find_fault(text.substr(begin, end - begin), json_levels_max).has_value();
  if (!one_line && first_is_whole) return "application/x-ndjson";
  if (text.find("\"specversion\"") == std::string_view::npos) return "application/json";
  json::Document document;
  document.assign(text);
  return document.has_member(json::Path::constant("specversion")) ? "application/cloudevents+json"
                                                                  : "application/json";
}

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) ::close(fd_);
}

/// Goes through the names of a directory once, in pieces, each in order.
class DropDirectory::Pass {
 public:
  /// @param claims  through `new/`: what it finds is to be claimed.
  Pass(int directory, bool claims) : claims_(claims) {
    const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    stream_ = fdopendir(fd);
    if (stream_ == nullptr) ::close(fd);
  }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  ~Pass() {
    if (stream_ != nullptr) closedir(stream_);
  }

  bool claims() const { return claims_; }
  bool failed() const { return stream_ == nullptr; }

  /// @returns false at the end.
  bool next(std::string& name) {
    if (names_.empty()) read();
    if (names_.empty()) return false;
    name = std::move(names_.back());
    names_.pop_back();
    return true;
  }

 private:
  void read() {
    while (stream_ != nullptr && names_.size() < names_max) {
      const dirent* entry = readdir(stream_);
      if (entry == nullptr) break;
      if (entry->d_name[0] != '.') names_.emplace_back(entry->d_name);
    }
    std::ranges::sort(names_, std::greater<>{});
  }

  const bool claims_;
  DIR* stream_ = nullptr;
  std::vector<std::string> names_;  ///< The next one last.
};

DropDirectory::DropDirectory(uint16_t number, const SourceConfig& source, Parts parts)
    : number_(number),
      source_(source),
      parts_(std::move(parts)),
      watch_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}

DropDirectory::~DropDirectory() = default;

// --- the directory -------------------------------------------------------------------------------

bool DropDirectory::open(Instant now) {
  if (root_.valid()) return true;
  std::string why;
  if (open_all(why) && watch(why)) {
    pass_ = std::make_unique<Pass>(cur_.get(), false);
    news_ = true;
    log_info("taking events from " + source_.directory + "/new for the organization " +
             source_.organization);
    told_.clear();
    return true;
  }
  close();
  tell_trouble(why);
  wait(now, trouble_pause);
  return false;
}

bool DropDirectory::open_all(std::string& why) {
  if (mkdir(source_.directory.c_str(), 0770) != 0 && errno != EEXIST) {
    why = "it cannot be made: " + why_not(errno);
    return false;
  }
  root_ = OwnedFd{::open(source_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!root_.valid()) {
    why = "it cannot be opened: " + why_not(errno);
    return false;
  }
  if (flock(root_.get(), LOCK_EX | LOCK_NB) != 0) {
    why = errno == EWOULDBLOCK ? "another relay takes events from it"
                               : "it cannot be locked: " + why_not(errno);
    return false;
  }
  new_ = open_part(root_.get(), "new", why);
  if (new_.valid()) cur_ = open_part(root_.get(), "cur", why);
  if (cur_.valid()) bad_ = open_part(root_.get(), "bad", why);
  if (!bad_.valid()) return false;
  for (const auto& [fd, name] :
       {std::pair{new_.get(), "new"}, std::pair{cur_.get(), "cur"}, std::pair{bad_.get(), "bad"}}) {
    if (faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) == 0) continue;
    why = std::string{name} + "/ cannot be read and written by the relay: " + why_not(errno);
    return false;
  }
  return true;
}

bool DropDirectory::watch(std::string& why) {
  const std::string path = source_.directory + "/new";
  watched_ = inotify_add_watch(watch_.get(), path.c_str(), IN_MOVED_TO | IN_ONLYDIR);
  // So that it is noticed at once when somebody removes or replaces it.
  std::filesystem::path root = std::filesystem::path{source_.directory}.lexically_normal();
  if (!root.has_filename()) root = root.parent_path();
  for (const std::filesystem::path& place : {root, root / ".."}) {
    const int number =
        inotify_add_watch(watch_.get(), place.c_str(),
                          IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
    if (number >= 0) above_.push_back(number);
  }
  if (watched_ >= 0) return true;
  // Too many are watched already: it is looked at often instead.
  if (!watch_.valid() || errno == ENOSPC || errno == ENOMEM) return true;
  why = "new/ cannot be watched: " + why_not(errno);
  return false;
}

void DropDirectory::close() {
  pass_.reset();
  if (watched_ >= 0) inotify_rm_watch(watch_.get(), std::exchange(watched_, -1));
  for (const int number : std::exchange(above_, {})) inotify_rm_watch(watch_.get(), number);
  for (OwnedFd* fd : {&root_, &new_, &cur_, &bad_}) *fd = OwnedFd{};
}

/// What inotify tells: something came. (News of the directories above only wake: `turn` looks.)
void DropDirectory::read_news() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  ssize_t size = 0;
  while (watch_.valid() && (size = read(watch_.get(), buffer.data(), buffer.size())) > 0) {
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const bool of_above = std::ranges::find(above_, event.wd) != above_.end();
      news_ |= !of_above;
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

/// Whether `new/` was removed or moved, or is hidden by a mount.
bool DropDirectory::gone() const {
  struct stat open {};
  struct stat there {};
  const std::string path = source_.directory + "/new";
  return fstat(new_.get(), &open) != 0 || stat(path.c_str(), &there) != 0 ||
         open.st_ino != there.st_ino || open.st_dev != there.st_dev;
}

// --- files ---------------------------------------------------------------------------------------

void DropDirectory::turn(Instant now) {
  now_ = now;
  news_ |= due_ && now >= *due_;
  read_news();
  if (not_before_ && now < *not_before_) return;
  not_before_.reset();
  due_ = now + (watched_ >= 0 ? watched_pause : unwatched_pause);
  if (root_.valid() && gone()) {
    if (!offered_.empty()) return;  // They are of the old one.
    claimed_.clear();
    close();
  }
  if (!open(now)) return;
  std::string name;
  while (!not_before_ && has_room() && claim_next(name)) {
    if (!offer(name)) claimed_.push_front(name);
  }
}

bool DropDirectory::has_room() const {
  if (offered_.empty()) return true;
  return offered_.size() < files_offered_max && offered_bytes_ < parts_.file_bytes_max();
}

/// The next file that is in `cur/` and nobody has been offered yet. @returns false: there is none.
bool DropDirectory::claim_next(std::string& name) {
  if (!claimed_.empty()) {
    name = std::move(claimed_.front());
    claimed_.pop_front();
    return true;
  }
  while (!not_before_) {
    if (pass_ == nullptr) {
      if (!std::exchange(news_, false)) return false;
      skipped_ = false;
      pass_ = std::make_unique<Pass>(new_.get(), true);
    }
    if (pass_->failed()) {
      tell_trouble("it cannot be read: " + why_not(errno));
      pass_.reset();
      news_ = true;
      wait(now_, trouble_pause);
      return false;
    }
    if (!pass_->next(name)) {
      pass_.reset();
    } else if (!pass_->claims() || claim(name)) {
      return true;
    }
  }
  return false;
}

/// Moves a file into `cur/`, where nobody else touches it.
bool DropDirectory::claim(const std::string& name) {
  struct stat status {};
  if (fstatat(new_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (S_ISDIR(status.st_mode)) {
    tell_trouble("new/" + shown(name) + " is a directory, and is ignored");
    return false;
  }
  if (rename_new(new_.get(), name.c_str(), cur_.get(), name.c_str()) == 0) return true;
  if (errno == EEXIST) {
    skipped_ = true;
  } else if (errno != ENOENT) {
    tell_trouble("new/" + shown(name) +
                 " cannot be moved to cur/, and so is not taken: " + why_not(errno));
  }
  return false;
}

/// @returns false if this is to be tried again.
bool DropDirectory::offer(const std::string& name) {
  struct stat status {};
  if (fstatat(cur_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return true;
  if (S_ISLNK(status.st_mode)) {
    set_aside(name, "The file is a symbolic link, and links are not followed.");
    return true;
  }
  if (!S_ISREG(status.st_mode)) {
    set_aside(name, "The file is not an ordinary file.");
    return true;
  }
  const OwnedFd file{
      openat(cur_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (!file.valid()) {
    if (is_shortage(errno)) {
      wait(now_, pause_min);
      return false;
    }
    set_aside(name, "The relay cannot open the file: " + why_not(errno) + '.');
    return true;
  }
  const uint64_t bytes_max = parts_.file_bytes_max();
  auto request = std::make_unique<http::Request>();
  std::string& body = request->body;
  body.resize(std::min<uint64_t>(static_cast<uint64_t>(status.st_size), bytes_max) + 1);
  size_t size = 0;
  while (size < body.size()) {
    const ssize_t got = read(file.get(), body.data() + size, body.size() - size);
    if (got < 0) {
      set_aside(name, "The relay cannot read the file: " + why_not(errno) + '.');
      return true;
    }
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > bytes_max) {
    set_aside(name, "The file is larger than ingest.batch_bytes_max, which is " +
                        std::to_string(bytes_max) + " bytes.");
    return true;
  }
  if (size > static_cast<uint64_t>(status.st_size)) {
    set_aside(name,
              "The file grew while it was read: write it elsewhere, then rename it into new/.");
    return true;
  }
  body.resize(size);
  body.reserve(size + padding_bytes);
  if (is_blank(body)) {
    set_aside(name, "The file is empty.");
    return true;
  }
  request->method = "POST";
  request->target = request->path = "/v1/events";
  request->headers.push_back({"Content-Type", std::string{content_type_of(body)}});
  offered_bytes_ += size;
  offered_[++last_ticket_] = {name, size};
  parts_.offer({.directory = number_,
                .ticket = last_ticket_,
                .organization = source_.organization,
                .id = file_id(cur_.get(), name, status),
                .request = std::move(request)});
  return true;
}

void DropDirectory::on_settled(const shard::FileSettled& settled, Instant now) {
  now_ = now;
  auto node = offered_.extract(settled.ticket);
  if (node.empty()) return;
  const Offered& file = node.mapped();
  offered_bytes_ -= file.bytes;
  const uint16_t status = settled.response.status;
  if (status == 202) {
    pause_ = {};
    remove(file.name);
  } else if (is_final(status)) {
    set_aside(file.name, settled.response);
  } else {  // The relay has no room, or stops, or its disk fails: the file waits.
    claimed_.push_back(file.name);
    if (not_before_ && now < *not_before_) return;  // The same refusal.
    pause_ = std::clamp(pause_ * 2, pause_min, pause_max);
    wait(now, std::max<Duration>(pause_, std::chrono::seconds{retry_after_of(settled.response)}));
    return;
  }
  news_ |= skipped_;
}

void DropDirectory::remove(const std::string& name) {
  if (unlinkat(cur_.get(), name.c_str(), 0) == 0 || errno == ENOENT) return;
  tell_trouble("cur/" + shown(name) +
               " cannot be removed: its events are taken, and will be duplicates when the relay "
               "starts again: " +
               why_not(errno));
}

void DropDirectory::set_aside(const std::string& name, std::string_view why) {
  set_aside(name, reason_of(std::string{why}));
}

/// The reason first: who sees the file can read why.
void DropDirectory::set_aside(const std::string& name, const http::Response& reason) {
  const auto is_taken = [this](const std::string& taken) {
    struct stat ignored {};
    return fstatat(bad_.get(), taken.c_str(), &ignored, AT_SYMLINK_NOFOLLOW) == 0;
  };
  std::string kept = shortened(name);
  if (kept != name || is_taken(kept) || is_taken(kept + ".reason")) {
    kept += '.' + std::to_string(wall_clock_now().time_since_epoch().count());
  }
  const std::string reason_name = kept + ".reason";
  const OwnedFd file{
      openat(bad_.get(), reason_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0660)};
  const std::string text = reason.body + '\n';
  const bool written = file.valid() && write(file.get(), text.data(), text.size()) ==
                                           static_cast<ssize_t>(text.size());
  if (!written) tell_trouble("bad/" + shown(reason_name) + " cannot be written: " + why_not(errno));
  if (renameat(cur_.get(), name.c_str(), bad_.get(), kept.c_str()) != 0 && errno != ENOENT) {
    return tell_trouble("cur/" + shown(name) + " cannot be moved to bad/: " + why_not(errno));
  }
  tell_refused(kept, reason);
}

void DropDirectory::wait(Instant now, Duration time) {
  not_before_ = due_ = now + time;
}

// --- the log -------------------------------------------------------------------------------------

std::string DropDirectory::shown(std::string_view name) const {
  return printable(name);
}

/// Each trouble once, until the directory is opened anew.
void DropDirectory::tell_trouble(const std::string& text) {
  if (told_.size() == told_max || !told_.insert(text).second) return;
  log_warning("drop directory " + source_.directory + ": " + text);
}

void DropDirectory::tell_refused(const std::string& name, const http::Response& reason) {
  if (refused_told_at_ != Instant{} && now_ - refused_told_at_ < told_interval) {
    ++refused_untold_;
    return;
  }
  refused_told_at_ = now_;
  const uint64_t more = std::exchange(refused_untold_, 0);
  log_warning("drop directory " + source_.directory + ": set aside bad/" + shown(name) + ": " +
              reason.body + (more == 0 ? "" : " (and " + std::to_string(more) + " more before)"));
}

}  // namespace ringpost::server
