#include "backup/copy.h"

#include "base/bytes.h"
#include "base/crc32c.h"

#include <algorithm>
#include <array>
#include <vector>

namespace ringpost::backup {
namespace {

using OpenMode = io::Disk::OpenMode;

constexpr size_t step_bytes = 1024 * 1024;

/// Closes a file at the end of a scope.
class OpenFile {
 public:
  OpenFile(io::Disk& disk, io::File file) : disk_(disk), file_(file) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { disk_.close(file_); }

  io::File get() const { return file_; }

 private:
  io::Disk& disk_;
  const io::File file_;
};

bool is_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

/// Calls `take(offset, bytes)` with all of a file, a step at a time; an error of it ends that.
template <typename Take>
Result<Copied> read_all(io::Disk& disk, io::File file, const Take& take) {
  Copied copied;
  std::vector<std::byte> step(step_bytes);
  for (;;) {
    const auto read = disk.read_at(file, copied.size, step);
    if (!read) return read.error();
    const Bytes bytes{step.data(), static_cast<size_t>(*read)};
    if (bytes.empty()) return copied;
    if (const Result<void> taken = take(copied.size, bytes); !taken) return taken.error();
    copied.crc = crc32c(copied.crc, bytes);
    copied.size += bytes.size();
  }
}

/// Makes `to` of what `write` writes into a new file.
template <typename Write>
Result<Copied> make_file(io::Disk& disk, const std::string& to, const Write& write) {
  const std::string draft = to + draft_suffix;
  if (auto removed = remove_file(disk, draft); !removed) return removed.error();
  Result<Copied> written = [&]() -> Result<Copied> {
    const auto made = disk.open(draft, OpenMode::create);
    if (!made) return made.error();
    const OpenFile target(disk, *made);
    auto copied = write(target.get());
    if (!copied) return copied;
    if (auto synced = disk.sync(target.get()); !synced) return synced.error();
    return copied;
  }();
  Result<void> done;
  if (written) done = disk.rename(draft, to);
  if (written && done) return written;
  const Error error = written ? done.error() : written.error();
  (void)remove_file(disk, draft);  // It may be the lack of room that failed.
  return error;
}

}  // namespace

Result<Copied> copy_file(io::Disk& disk, const std::string& from, const std::string& to,
                         Zeros zeros) {
  const auto opened = disk.open(from, OpenMode::read);
  if (!opened) return opened.error();
  const OpenFile source(disk, *opened);
  return make_file(disk, to, [&](io::File target) {
    uint64_t written = 0;
    uint64_t end = 0;  // Of what was written.
    const auto write = [&](uint64_t offset, Bytes bytes) -> Result<void> {
      if (zeros == Zeros::leave_holes && is_zero(bytes)) return {};
      written += bytes.size();
      end = offset + bytes.size();
      return disk.write_at(target, offset, bytes);
    };
    auto copied = read_all(disk, source.get(), write);
    if (!copied) return copied;
    copied->written = written;
    if (end == copied->size) return copied;
    const auto last = disk.write_at(target, copied->size - 1, std::array{std::byte{0}});
    return last ? copied : Result<Copied>{last.error()};
  });
}

Result<Copied> write_file(io::Disk& disk, const std::string& text, const std::string& to) {
  return make_file(disk, to, [&](io::File target) -> Result<Copied> {
    const Bytes bytes = as_bytes(text);
    if (auto written = disk.write_at(target, 0, bytes); !written) return written.error();
    return Copied{.size = bytes.size(), .written = bytes.size(), .crc = crc32c(0, bytes)};
  });
}

Result<Copied> examine_file(io::Disk& disk, const std::string& path) {
  const auto opened = disk.open(path, OpenMode::read);
  if (!opened) return opened.error();
  const OpenFile source(disk, *opened);
  return read_all(disk, source.get(), [](uint64_t, Bytes) { return Result<void>{}; });
}

Result<void> remove_file(io::Disk& disk, const std::string& path) {
  auto removed = disk.remove(path);
  if (!removed && removed.error().code == Errc::not_found) return {};
  return removed;
}

}  // namespace ringpost::backup
