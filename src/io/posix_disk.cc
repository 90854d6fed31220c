#include "io/posix_disk.h"

#include "io/process.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace ringpost::io {

namespace {

Error disk_error(int errno_value) {
  if (errno_value == EEXIST) return {Errc::conflict, Side::disk, errno_value};
  return error_from_errno(errno_value, Side::disk);
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Opens a regular file. O_NONBLOCK keeps a FIFO or a device from holding us up before we see what
/// it is; it must not stay on, or the ring would fail writes that have to wait.
Result<File> open_regular(const std::string& path, int flags) {
  const int handle = ::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
  if (handle < 0) return disk_error(errno);
  struct stat status;
  int failure = 0;
  if (fstat(handle, &status) != 0) {
    failure = errno;
  } else if (!S_ISREG(status.st_mode)) {
    failure = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  } else {
    const int set = fcntl(handle, F_GETFL);
    if (set < 0 || fcntl(handle, F_SETFL, set & ~O_NONBLOCK) != 0) failure = errno;
  }
  if (failure == 0) return File{handle};
  ::close(handle);
  return Error{Errc::io_failed, Side::disk, failure};
}

}  // namespace

Result<std::vector<std::string>> PosixDisk::list(const std::string& directory) {
  DIR* stream = opendir(directory.c_str());
  if (stream == nullptr) return disk_error(errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;  // The next null may mean the end or a failure.
  }
  const int failure = errno;
  closedir(stream);
  if (failure != 0) return disk_error(failure);
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> PosixDisk::make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0) {
    if (errno != EEXIST) return disk_error(errno);
    struct stat status;
    if (stat(path.c_str(), &status) != 0) return disk_error(errno);
    if (!S_ISDIR(status.st_mode)) return Error{Errc::conflict, Side::disk, ENOTDIR};
  }
  // Also when it existed: whoever made it may have crashed before its name was durable.
  return sync_directory(parent_of(path));
}

Result<File> PosixDisk::open(const std::string& path, OpenMode mode) {
  switch (mode) {
    case OpenMode::read: return open_regular(path, O_RDONLY);
    case OpenMode::read_write: return open_regular(path, O_RDWR);
    case OpenMode::create: return open_regular(path, O_RDWR | O_CREAT | O_EXCL);
  }
  RINGPOST_UNREACHABLE();
}

Result<File> PosixDisk::open_journal(const std::string& path, bool& direct) {
  direct = true;
  auto file = open_regular(path, O_RDWR | O_DIRECT | O_DSYNC);
  if (file || file.error().detail != EINVAL) return file;
  direct = false;  // The file system has no O_DIRECT; O_DSYNC keeps the promise, at more cost.
  return open_regular(path, O_RDWR | O_DSYNC);
}

void PosixDisk::close(File file) {
  RINGPOST_ASSERT(file.valid());
  // An error would say that earlier writes were lost; those were synced or are not relied on.
  ::close(file.handle);
}

Result<uint64_t> PosixDisk::size(File file) {
  struct stat status;
  if (fstat(file.handle, &status) != 0) return disk_error(errno);
  return static_cast<uint64_t>(status.st_size);
}

Result<uint64_t> PosixDisk::read_at(File file, uint64_t offset, MutableBytes into) {
  uint64_t done = 0;
  while (done < into.size()) {
    const ssize_t got = pread(file.handle, into.data() + done, into.size() - done,
                              static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    // A direct read that met the end off the alignment cannot go on from there, and need not.
    if (got < 0 && errno == EINVAL && done > 0) break;
    if (got < 0) return disk_error(errno);
    if (got == 0) break;
    done += static_cast<uint64_t>(got);
  }
  return done;
}

Result<void> PosixDisk::write_at(File file, uint64_t offset, Bytes from) {
  uint64_t done = 0;
  while (done < from.size()) {
    const ssize_t put = pwrite(file.handle, from.data() + done, from.size() - done,
                               static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return disk_error(errno_of_write(errno, offset + from.size()));
    if (put == 0) return disk_error(EIO);
    done += static_cast<uint64_t>(put);
  }
  return {};
}

Result<void> PosixDisk::sync(File file) {
  if (fdatasync(file.handle) != 0) return disk_error(errno);
  return {};
}

Result<void> PosixDisk::sync_directory(const std::string& path) {
  const int handle = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return disk_error(errno);
  const int failure = fsync(handle) != 0 ? errno : 0;
  ::close(handle);
  if (failure != 0) return disk_error(failure);
  return {};
}

Result<void> PosixDisk::rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return disk_error(errno);
  return {};
}

Result<void> PosixDisk::remove(const std::string& path) {
  if (unlink(path.c_str()) != 0) return disk_error(errno);
  return {};
}

Result<uint64_t> PosixDisk::free_bytes(const std::string& path) {
  struct statvfs status;
  if (statvfs(path.c_str(), &status) != 0) return disk_error(errno);
  return static_cast<uint64_t>(status.f_bavail) * static_cast<uint64_t>(status.f_frsize);
}

Result<File> PosixDisk::lock(const std::string& path) {
  auto file = open_regular(path, O_RDWR | O_CREAT);
  if (!file) return file;
  // flock belongs to this opening of the file: a second opening conflicts even within a process,
  // and the kernel gives it up however the process ends.
  if (flock(file->handle, LOCK_EX | LOCK_NB) == 0) return file;
  const int failure = errno;
  ::close(file->handle);
  if (failure == EWOULDBLOCK) return Error{Errc::locked, Side::operator_, failure};
  return disk_error(failure);
}

}  // namespace ringpost::io
