#include "sim/disk.h"

#include "base/assert.h"
#include "sim/ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringpost::sim {

using std::chrono::milliseconds;

namespace {

constexpr uint64_t alignment = 4096;

Error disk_error(int errno_value) {
  return error_from_errno(errno_value, Side::disk);
}

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

uint64_t in_whole_pages(uint64_t size) {
  return (size + Content::page_bytes - 1) / Content::page_bytes * Content::page_bytes;
}

/// What O_DIRECT asks of every transfer.
void assert_aligned(uint64_t offset, Bytes bytes) {
  RINGPOST_ASSERT(offset % alignment == 0);
  RINGPOST_ASSERT(bytes.size() % alignment == 0);
  RINGPOST_ASSERT(reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0);
}

}  // namespace

Disk::Disk(World& world) : world_(world) {}
Disk::~Disk() = default;

bool Disk::NameChange::in(const std::string& directory) const {
  return directory_of(what == What::rename ? to : from) == directory;
}

/// Whether this call is one of those that fail, by order of the test or by chance.
bool Disk::fails(Call call, uint32_t per_10000) {
  if (detached_) return true;
  if (uint32_t& left = failing_[static_cast<size_t>(call)]; left > 0) {
    --left;
    return true;
  }
  return world_.chance(per_10000);
}

/// Whether the disk is out of reach for this call, which changes or syncs something.
bool Disk::gone() {
  if (!detached_ && calls_left_) {
    if (*calls_left_ == 0)
      detached_ = true;
    else
      --*calls_left_;
  }
  return detached_;
}

Disk::OpenFile& Disk::open_at(io::File file) {
  const auto found = open_.find(file.handle);
  RINGPOST_ASSERT(found != open_.end());  // Never opened, or used after close.
  return found->second;
}

io::File Disk::add_open(OpenFile file) {
  open_.emplace(++last_handle_, std::move(file));
  return {last_handle_};
}

Disk::InodeRef Disk::find(const std::string& path) const {
  const auto found = seen_.find(path);
  return found == seen_.end() ? nullptr : found->second;
}

bool Disk::has_directory_of(const std::string& path) const {
  return directories_.contains(directory_of(path));
}

// --- names ---------------------------------------------------------------------------------------

Result<std::vector<std::string>> Disk::list(const std::string& directory) {
  if (detached_) return disk_error(EIO);
  if (!directories_.contains(directory)) return disk_error(ENOENT);
  std::vector<std::string> names;
  const auto add = [&names, &directory](const std::string& path) {
    if (path != directory && directory_of(path) == directory) {
      names.push_back(path.substr(path.rfind('/') + 1));
    }
  };
  for (const auto& [path, inode] : seen_) add(path);
  for (const std::string& path : directories_) add(path);
  std::ranges::sort(names);
  return names;
}

Result<void> Disk::make_directory(const std::string& path) {
  if (gone()) return disk_error(EIO);
  if (seen_.contains(path)) return Error{Errc::conflict, Side::disk, EEXIST};
  // The directories above a data directory are the test's business: they are taken for granted.
  for (std::string above = path; directories_.insert(above).second;) above = directory_of(above);
  return {};
}

Result<io::File> Disk::open(const std::string& path, OpenMode mode) {
  if (detached_) return disk_error(EIO);
  if (mode == OpenMode::create) return create(path);
  InodeRef inode = find(path);
  if (inode == nullptr) return disk_error(ENOENT);
  return add_open({.inode = std::move(inode), .path = path, .writable = mode != OpenMode::read});
}

Result<io::File> Disk::create(const std::string& path) {
  if (gone()) return disk_error(EIO);
  if (!has_directory_of(path)) return disk_error(ENOENT);
  if (exists(path)) return Error{Errc::conflict, Side::disk, EEXIST};
  const auto inode = std::make_shared<Inode>();
  NameChange change{NameChange::What::create, path, {}, inode};
  apply(seen_, change);
  unsynced_names_.push_back(std::move(change));
  return add_open({.inode = inode, .path = path, .writable = true});
}

Result<io::File> Disk::open_journal(const std::string& path, bool& direct) {
  if (detached_) return disk_error(EIO);
  InodeRef inode = find(path);
  if (inode == nullptr) return disk_error(ENOENT);
  direct = true;
  return add_open({.inode = std::move(inode), .path = path, .writable = true, .journal = true});
}

void Disk::close(io::File file) {
  if (detached_) return;  // The crash has closed it.
  open_at(file);          // Asserts that it is open.
  open_.erase(file.handle);
}

Result<io::File> Disk::lock(const std::string& path) {
  if (detached_) return disk_error(EIO);
  for (const auto& [handle, file] : open_) {
    if (file.lock && file.path == path) return Error{Errc::locked, Side::operator_, EWOULDBLOCK};
  }
  auto file = exists(path) ? open(path, OpenMode::read_write) : create(path);
  if (file) open_at(*file).lock = true;
  return file;
}

void Disk::apply(Names& names, const NameChange& change) {
  const auto from = names.find(change.from);
  const bool there = from != names.end() && from->second == change.inode;
  switch (change.what) {
    case NameChange::What::create: names[change.from] = change.inode; return;
    case NameChange::What::remove:
      if (there) names.erase(from);
      return;
    case NameChange::What::rename:
      if (there) names.erase(from);
      names[change.to] = change.inode;
      return;
  }
}

Result<void> Disk::rename(const std::string& from, const std::string& to) {
  if (gone()) return disk_error(EIO);
  InodeRef inode = find(from);
  if (inode == nullptr || !has_directory_of(to)) return disk_error(ENOENT);
  NameChange change{NameChange::What::rename, from, to, std::move(inode)};
  apply(seen_, change);
  unsynced_names_.push_back(std::move(change));
  return {};
}

Result<void> Disk::remove(const std::string& path) {
  if (gone()) return disk_error(EIO);
  InodeRef inode = find(path);
  if (inode == nullptr) return disk_error(ENOENT);
  NameChange change{NameChange::What::remove, path, {}, std::move(inode)};
  apply(seen_, change);
  unsynced_names_.push_back(std::move(change));
  return {};
}

Result<void> Disk::sync_directory(const std::string& path) {
  if (gone()) return disk_error(EIO);
  if (!directories_.contains(path)) return disk_error(ENOENT);
  if (fails(Call::sync, world_.faults().sync_error)) return disk_error(EIO);
  std::erase_if(unsynced_names_, [this, &path](const NameChange& change) {
    if (!change.in(path)) return false;
    apply(stable_, change);
    return true;
  });
  return {};
}

// --- bytes ---------------------------------------------------------------------------------------

Result<uint64_t> Disk::size(io::File file) {
  if (detached_) return disk_error(EIO);
  return open_at(file).inode->seen.size();
}

Result<uint64_t> Disk::read_at(io::File file, uint64_t offset, MutableBytes into) {
  if (fails(Call::read, world_.faults().read_error)) return disk_error(EIO);
  const OpenFile& open = open_at(file);
  if (open.journal) assert_aligned(offset, into);
  const uint64_t size = open.inode->seen.size();
  if (offset >= size) return uint64_t{0};
  const uint64_t count = std::min<uint64_t>(into.size(), size - offset);
  open.inode->seen.read(offset, into.first(count));
  return count;
}

uint64_t Disk::used_bytes() const {
  uint64_t used = 0;
  for (const auto& [path, inode] : seen_) used += in_whole_pages(inode->seen.size());
  return used;
}

bool Disk::fits(const Inode& inode, uint64_t size) const {
  const uint64_t now = in_whole_pages(inode.seen.size());
  return in_whole_pages(size) <= now || used_bytes() + in_whole_pages(size) - now <= capacity_;
}

Result<uint64_t> Disk::free_bytes(const std::string&) {
  if (detached_) return disk_error(EIO);
  const uint64_t used = used_bytes();
  return used >= capacity_ ? 0 : capacity_ - used;
}

Result<void> Disk::write_at(io::File file, uint64_t offset, Bytes from) {
  if (gone()) return disk_error(EIO);
  const bool failing = fails(Call::write, world_.faults().write_error);
  const OpenFile& open = open_at(file);
  RINGPOST_ASSERT(open.writable);
  if (open.journal) assert_aligned(offset, from);
  Inode& inode = *open.inode;
  const bool full = !fits(inode, offset + from.size());
  // A failed write may have written part of it.
  if (failing || full) from = from.first(failing ? world_.random().below(from.size() + 1) : 0);
  if (!from.empty() && open.journal) {
    write_stable(inode, offset, from);
  } else if (!from.empty()) {
    inode.seen.write(offset, from);
    const size_t last = (offset + from.size() - 1) / Content::page_bytes;
    for (size_t page = offset / Content::page_bytes; page <= last; ++page) {
      inode.unsynced_pages.insert(page);
    }
  }
  if (failing) return disk_error(EIO);
  if (full) return disk_error(ENOSPC);
  return {};
}

void Disk::make_stable(Inode& inode) {
  inode.stable.resize(inode.seen.size());
  for (const size_t page : inode.unsynced_pages) {
    if (page < inode.seen.page_count()) inode.stable.set_page(page, inode.seen.page(page));
  }
  inode.unsynced_pages.clear();
}

Result<void> Disk::sync(io::File file) {
  if (gone()) return disk_error(EIO);
  const bool failing = fails(Call::sync, world_.faults().sync_error);
  Inode& inode = *open_at(file).inode;
  if (failing) {
    // As Linux does: the pages count as clean now, and the next sync reports success without them.
    // Some file systems go on showing what they have lost.
    const Content shown = inode.seen;
    settle_content(inode);
    if (world_.random().chance(1, 2)) inode.seen = shown;
    return disk_error(EIO);
  }
  make_stable(inode);
  return {};
}

// --- durable writes ------------------------------------------------------------------------------

void Disk::submit_write(Ring& ring, io::Completion& op, io::File file, uint64_t offset,
                        Bytes bytes) {
  const OpenFile& open = open_at(file);
  RINGPOST_ASSERT(open.journal);
  RINGPOST_ASSERT(!bytes.empty());
  assert_aligned(offset, bytes);
  const uint64_t number = ++flight_count_;
  flights_.emplace(number,
                   Flight{&ring, &op, open.inode, offset, bytes, {bytes.begin(), bytes.end()}});
  world_.schedule(world_.now() + latency(), World::Kind::disk,
                  [this, number] { finish_write(number); });
}

Duration Disk::latency() {
  Duration latency =
      world_.between(world_.options().disk_latency_min, world_.options().disk_latency_max);
  if (world_.chance(world_.faults().slow_write)) latency += world_.between({}, milliseconds{500});
  return latency;
}

void Disk::submit_read(Ring& ring, io::Completion& op, io::File file, uint64_t offset,
                       MutableBytes into) {
  const OpenFile& open = open_at(file);
  RINGPOST_ASSERT(open.journal);
  RINGPOST_ASSERT(!into.empty());
  assert_aligned(offset, into);
  const uint64_t number = ++flight_count_;
  reads_.emplace(number, ReadFlight{&ring, &op, open.inode, offset, into});
  world_.schedule(world_.now() + latency(), World::Kind::disk,
                  [this, number] { finish_read(number); });
}

void Disk::finish_read(uint64_t number) {
  const auto found = reads_.find(number);
  if (found == reads_.end()) return;  // Cut off by a crash.
  const ReadFlight flight = found->second;
  reads_.erase(found);
  auto result = static_cast<int32_t>(-EIO);
  if (!fails(Call::read, world_.faults().read_error)) {
    const uint64_t size = flight.inode->seen.size();
    const uint64_t there = size - std::min(size, flight.offset);
    const uint64_t count = std::min<uint64_t>(flight.into.size(), there);
    if (count > 0) flight.inode->seen.read(flight.offset, flight.into.first(count));
    result = static_cast<int32_t>(count);
  }
  flight.ring->on_transferred(*flight.op, result);
}

void Disk::finish_write(uint64_t number) {
  const auto found = flights_.find(number);
  if (found == flights_.end()) return;  // Settled by a crash.
  Flight flight = std::move(found->second);
  flights_.erase(found);
  // Lent means lent: the kernel reads the buffer whenever it likes until the end.
  RINGPOST_ASSERT(std::memcmp(flight.lent.data(), flight.bytes.data(), flight.bytes.size()) == 0);
  auto result = static_cast<int32_t>(flight.bytes.size());
  if (fails(Call::write, world_.faults().write_error)) {
    tear(flight);
    result = -EIO;
  } else if (!fits(*flight.inode, flight.offset + flight.bytes.size())) {
    result = -ENOSPC;
  } else {
    write_stable(*flight.inode, flight.offset, flight.bytes);
    ++durable_write_count_;
  }
  world_.note(number << 32 | static_cast<uint32_t>(result));
  flight.ring->on_transferred(*flight.op, result);
}

/// Writes whole pages to both contents; they share the memory.
void Disk::write_stable(Inode& inode, uint64_t offset, Bytes bytes) {
  inode.seen.write(offset, bytes);
  if (inode.stable.size() < offset + bytes.size()) inode.stable.resize(offset + bytes.size());
  const size_t last = (offset + bytes.size() - 1) / Content::page_bytes;
  for (size_t page = offset / Content::page_bytes; page <= last; ++page) {
    inode.stable.set_page(page, inode.seen.page(page));
    inode.unsynced_pages.erase(page);
  }
}

/// Lets any subset of the sectors of a write reach the disk.
void Disk::tear(Flight& flight) {
  Prng& prng = world_.random();
  const uint64_t kept_per_8 = prng.between(1, 7);  // Some tears keep little, some lose little.
  std::vector<std::byte> torn(flight.bytes.size());
  Inode& inode = *flight.inode;
  const uint64_t size = inode.seen.size();
  for (size_t at = 0; at < torn.size(); at += Content::sector_bytes) {
    const MutableBytes sector = MutableBytes{torn}.subspan(at, Content::sector_bytes);
    const uint64_t place = flight.offset + at;
    if (prng.chance(kept_per_8, 8)) {
      std::memcpy(sector.data(), flight.bytes.data() + at, sector.size());
    } else if (place + sector.size() <= size) {
      inode.seen.read(place, sector);
    }
  }
  write_stable(inode, flight.offset, torn);
}

// --- crash ---------------------------------------------------------------------------------------

void Disk::crash(Crash kind) {
  for (auto& [number, flight] : flights_) settle_flight(flight, kind);
  flights_.clear();
  reads_.clear();
  open_.clear();
  detached_ = true;
  if (kind == Crash::kill) return;  // The page cache is the kernel's, and lives on.
  settle_names();
  for (const auto& [path, inode] : stable_) settle_content(*inode);
  seen_ = stable_;
}

void Disk::settle_flight(Flight& flight, Crash kind) {
  if (world_.random().chance(1, 3)) return;  // Never reached the disk.
  const bool whole = kind == Crash::kill || world_.random().chance(1, 2);
  whole ? write_stable(*flight.inode, flight.offset, flight.bytes) : tear(flight);
}

void Disk::settle_names() {
  Prng& prng = world_.random();
  const bool in_order = prng.chance(1, 2);  // A journaling file system keeps a prefix.
  const size_t kept = prng.below(unsynced_names_.size() + 1);
  for (size_t index = 0; index < unsynced_names_.size(); ++index) {
    if (in_order ? index < kept : prng.chance(1, 2)) apply(stable_, unsynced_names_[index]);
  }
  unsynced_names_.clear();
}

/// Makes what a crash leaves of a file both its contents.
void Disk::settle_content(Inode& inode) {
  Prng& prng = world_.random();
  if (inode.seen.size() != inode.stable.size() && prng.chance(1, 2)) {
    inode.stable.resize(inode.seen.size());
  }
  const auto kept_per_8 = static_cast<uint32_t>(prng.between(0, 8));  // 0: all lost; 8: all kept.
  for (const size_t page : inode.unsynced_pages) {
    if (page >= inode.stable.page_count() || page >= inode.seen.page_count()) continue;
    inode.stable.set_page(page,
                          mix_sectors(inode.stable.page(page), inode.seen.page(page), kept_per_8));
  }
  // A page that was cut short by the stable size keeps nothing beyond it.
  const uint64_t size = inode.stable.size();
  inode.stable.resize(in_whole_pages(size));
  inode.stable.resize(size);
  inode.unsynced_pages.clear();
  inode.seen = inode.stable;
}

Content::PageRef Disk::mix_sectors(const Content::PageRef& old_page,
                                   const Content::PageRef& new_page, uint32_t kept_per_8) {
  if (kept_per_8 == 0 || old_page == new_page) return old_page;
  auto page = std::make_shared<Content::Page>(page_or_zeros(old_page));
  const Content::Page& fresh = page_or_zeros(new_page);
  for (size_t at = 0; at < page->size(); at += Content::sector_bytes) {
    if (!world_.random().chance(kept_per_8, 8)) continue;
    std::memcpy(page->data() + at, fresh.data() + at, Content::sector_bytes);
  }
  return page;
}

}  // namespace ringpost::sim
