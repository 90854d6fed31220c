#include "fake_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringpost::journal::test {

void FakeDisk::copy_from(const FakeDisk& other) {
  files_.clear();
  for (const auto& [path, contents] : other.files_) put(path, *contents);
  directories_ = other.directories_;
}

std::vector<std::string> FakeDisk::paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, contents] : files_) paths.push_back(path);
  return paths;
}

Result<void> FakeDisk::check(const std::string& operation, const std::string& path) {
  ++calls[operation];
  const int error = fault ? fault(operation, path) : 0;
  if (error != 0) return error_from_errno(error, Side::disk);
  return {};
}

io::File FakeDisk::add(Handle handle) {
  handles_.emplace(next_handle_, std::move(handle));
  return {next_handle_++};
}

uint64_t FakeDisk::used() const {
  uint64_t sum = 0;
  for (const auto& [path, contents] : files_) sum += contents->size();
  return sum;
}

Result<std::vector<std::string>> FakeDisk::list(const std::string& directory) {
  if (auto checked = check("list", directory); !checked) return checked.error();
  if (!directories_.contains(directory)) return error_from_errno(ENOENT, Side::disk);
  std::vector<std::string> names;
  const auto add_name = [&](const std::string& path) {
    if (!path.starts_with(directory + '/')) return;
    const std::string rest = path.substr(directory.size() + 1);
    if (rest.find('/') == std::string::npos) names.push_back(rest);
  };
  for (const auto& [path, contents] : files_) add_name(path);
  for (const auto& [path, unused] : directories_) add_name(path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> FakeDisk::make_directory(const std::string& path) {
  if (auto checked = check("make_directory", path); !checked) return checked;
  directories_[path] = true;
  return {};
}

Result<io::File> FakeDisk::open(const std::string& path, OpenMode mode) {
  if (auto checked = check("open", path); !checked) return checked.error();
  if (mode == OpenMode::create) {
    if (exists(path)) return Error{Errc::conflict, Side::disk, EEXIST};
    put(path, {});
  } else if (!exists(path)) {
    return error_from_errno(ENOENT, Side::disk);
  }
  return add({path, files_.at(path), false, mode == OpenMode::read});
}

Result<io::File> FakeDisk::open_journal(const std::string& path, bool& is_direct) {
  if (auto checked = check("open_journal", path); !checked) return checked.error();
  if (!exists(path)) return error_from_errno(ENOENT, Side::disk);
  is_direct = direct;
  return add({path, files_.at(path), true, false});
}

void FakeDisk::close(io::File file) {
  RINGPOST_ASSERT(handles_.contains(file.handle));  // Closed twice, or never opened.
  handles_.erase(file.handle);
}

Result<uint64_t> FakeDisk::size(io::File file) {
  const Handle& handle = handles_.at(file.handle);
  if (auto checked = check("size", handle.path); !checked) return checked.error();
  return handle.contents->size();
}

Result<uint64_t> FakeDisk::read_at(io::File file, uint64_t offset, MutableBytes into) {
  const Handle& handle = handles_.at(file.handle);
  if (auto checked = check("read_at", handle.path); !checked) return checked.error();
  if (handle.journal) {
    RINGPOST_ASSERT(offset % 4096 == 0);
    RINGPOST_ASSERT(into.size() % 4096 == 0);
    RINGPOST_ASSERT(reinterpret_cast<uintptr_t>(into.data()) % 4096 == 0);
  }
  const Contents& bytes = *handle.contents;
  if (offset >= bytes.size()) return uint64_t{0};
  const uint64_t size = std::min<uint64_t>(into.size(), bytes.size() - offset);
  std::memcpy(into.data(), bytes.data() + offset, size);
  return size;
}

Result<void> FakeDisk::write_at(io::File file, uint64_t offset, Bytes from) {
  const Handle& handle = handles_.at(file.handle);
  if (auto checked = check("write_at", handle.path); !checked) return checked;
  RINGPOST_ASSERT(!handle.read_only);
  Contents& bytes = *handle.contents;
  const uint64_t end = offset + from.size();
  if (end > bytes.size()) {
    if (used() + end - bytes.size() > capacity) return error_from_errno(ENOSPC, Side::disk);
    bytes.resize(end);
  }
  if (!from.empty()) std::memcpy(bytes.data() + offset, from.data(), from.size());
  return {};
}

Result<void> FakeDisk::sync(io::File file) {
  return check("sync", handles_.at(file.handle).path);
}

Result<void> FakeDisk::sync_directory(const std::string& path) {
  return check("sync_directory", path);
}

Result<void> FakeDisk::rename(const std::string& from, const std::string& to) {
  if (auto checked = check("rename", from); !checked) return checked;
  if (!exists(from)) return error_from_errno(ENOENT, Side::disk);
  files_[to] = files_.at(from);
  files_.erase(from);
  return {};
}

Result<void> FakeDisk::remove(const std::string& path) {
  if (auto checked = check("remove", path); !checked) return checked;
  if (files_.erase(path) == 0) return error_from_errno(ENOENT, Side::disk);
  return {};
}

Result<uint64_t> FakeDisk::free_bytes(const std::string& path) {
  if (auto checked = check("free_bytes", path); !checked) return checked.error();
  return capacity > used() ? capacity - used() : 0;
}

Result<io::File> FakeDisk::lock(const std::string& path) {
  if (auto checked = check("lock", path); !checked) return checked.error();
  put(path, {});
  return add({path, files_.at(path), false, true});
}

}  // namespace ringpost::journal::test
