#pragma once

#include "base/clock.h"
#include "http/message.h"
#include "server/config.h"
#include "shard/dropped_files.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::server {

/// A descriptor that is closed with its owner.
class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// A drop directory (README, "Drop directories"): takes the files that are renamed into `new/`,
/// each by way of `cur/`, and sets those aside in `bad/` that are no events. Blocking: for a thread
/// of its own. Knows no thread and no shard.
class DropDirectory {
 public:
  struct Parts {
    /// Takes a file's events; the answer comes to `on_settled`.
    std::function<void(shard::FileOffered&&)> offer;
    /// Of one file, at present.
    std::function<uint64_t()> file_bytes_max;
  };

  /// Opens nothing yet. @param number  of FileOffered::directory.
  DropDirectory(uint16_t number, const SourceConfig& source, Parts parts);
  ~DropDirectory();

  /// Takes what is there and may be taken now.
  void turn(Instant now);
  void on_settled(const shard::FileSettled& settled, Instant now);
  /// When to turn without news.
  std::optional<Instant> due() const { return due_; }
  /// Readable when something has come; -1: the system has none left.
  int descriptor() const { return watch_.get(); }

  // How many files are under way at the same time; their bytes have the limit of one batch.
  static constexpr size_t files_offered_max = 32;

 private:
  struct Offered {
    std::string name;
    uint64_t bytes = 0;
  };
  class Pass;

  bool open(Instant now);
  void close();
  bool open_all(std::string& why);
  bool watch(std::string& why);
  void read_news();
  bool gone() const;
  bool claim_next(std::string& name);
  bool claim(const std::string& name);
  bool offer(const std::string& name);
  bool has_room() const;
  void set_aside(const std::string& name, const http::Response& reason);
  void set_aside(const std::string& name, std::string_view why);
  void remove(const std::string& name);
  void wait(Instant now, Duration time);
  void tell_trouble(const std::string& text);
  void tell_refused(const std::string& name, const http::Response& reason);
  std::string shown(std::string_view name) const;

  const uint16_t number_;
  const SourceConfig source_;
  const Parts parts_;

  OwnedFd root_;  ///< With the lock that keeps other relays out.
  OwnedFd new_;
  OwnedFd cur_;
  OwnedFd bad_;
  OwnedFd watch_;
  int watched_ = -1;        ///< `new/`, as inotify names it.
  std::vector<int> above_;  ///< The same of the directories that it is in.

  std::unique_ptr<Pass> pass_;       ///< Through `cur/` first, then `new/` again and again.
  bool news_ = false;                ///< `new/` may have changed since the pass began.
  bool skipped_ = false;             ///< A name was left there because `cur/` has it.
  std::deque<std::string> claimed_;  ///< In `cur/`, to be offered (again).
  std::map<uint32_t, Offered> offered_;
  uint64_t offered_bytes_ = 0;
  uint32_t last_ticket_ = 0;

  Duration pause_{};  ///< The last one, while the relay refuses.
  std::optional<Instant> not_before_;
  std::optional<Instant> due_;
  std::set<std::string> told_;  ///< To the log, since the directory was opened.
  Instant refused_told_at_{};
  uint64_t refused_untold_ = 0;
  Instant now_{};
};

/// Content type of what a file has: a JSON object of any number of lines (CloudEvents' if it has
/// `specversion`), an array of CloudEvents, or NDJSON.
std::string_view content_type_of(std::string_view text);

}  // namespace ringpost::server
