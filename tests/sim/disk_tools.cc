// The part of Disk that tests use to look at the disk and to damage it.

#include "base/assert.h"
#include "sim/disk.h"

#include <algorithm>

namespace ringpost::sim {

bool Disk::exists(const std::string& path) const {
  return seen_.contains(path) || directories_.contains(path);
}

std::vector<std::string> Disk::files() const {
  std::vector<std::string> paths;
  for (const auto& [path, inode] : seen_) paths.push_back(path);
  return paths;
}

Disk::Inode& Disk::inode_at(const std::string& path) const {
  const InodeRef inode = find(path);
  RINGPOST_ASSERT(inode != nullptr);
  return *inode;
}

std::string Disk::read_file(const std::string& path) const {
  const Inode& inode = inode_at(path);
  std::string content(inode.seen.size(), '\0');
  inode.seen.read(0, {reinterpret_cast<std::byte*>(content.data()), content.size()});
  return content;
}

void Disk::write_file(const std::string& path, std::string_view content) {
  const auto inode = std::make_shared<Inode>();
  inode->seen.write(0, as_bytes(content));
  inode->stable = inode->seen;
  const std::string directory = path.substr(0, path.rfind('/'));
  if (!directory.empty()) directories_.insert(directory);
  seen_[path] = stable_[path] = inode;
}

void Disk::overwrite(const std::string& path, uint64_t offset, std::string_view bytes) {
  Inode& inode = inode_at(path);
  inode.seen.write(offset, as_bytes(bytes));
  inode.stable.write(offset, as_bytes(bytes));
}

void Disk::truncate(const std::string& path, uint64_t size) {
  Inode& inode = inode_at(path);
  inode.seen.resize(size);
  inode.stable.resize(size);
}

void Disk::flip_bit(const std::string& path, uint64_t offset, unsigned bit) {
  RINGPOST_ASSERT(bit < 8);
  const Inode& inode = inode_at(path);
  RINGPOST_ASSERT(offset < inode.seen.size());
  std::byte value{};
  inode.seen.read(offset, {&value, 1});
  value ^= std::byte{1} << bit;
  overwrite(path, offset, as_text({&value, 1}));
}

void Disk::copy(const std::string& from, const std::string& to) {
  const auto inode = std::make_shared<Inode>(inode_at(from));
  seen_[to] = stable_[to] = inode;
}

void Disk::erase_directory(const std::string& path) {
  for (const std::string& file : files()) {
    if (file.starts_with(path + '/')) erase(file);
  }
  std::erase_if(directories_, [&path](const std::string& directory) {
    return directory == path || directory.starts_with(path + '/');
  });
}

void Disk::erase(const std::string& path) {
  RINGPOST_ASSERT(exists(path));
  seen_.erase(path);
  stable_.erase(path);
}

namespace {

/// Copies inodes so that each is copied once, under however many names it goes.
template <typename Ref>
class Copier {
 public:
  Ref operator()(const Ref& original) {
    Ref& copy = copies_[original];
    if (copy == nullptr) copy = std::make_shared<typename Ref::element_type>(*original);
    return copy;
  }

 private:
  std::map<Ref, Ref> copies_;  // Only looked up: the order of addresses does not matter.
};

}  // namespace

Disk::Snapshot Disk::snapshot() const {
  Snapshot snapshot;
  snapshot.directories_ = directories_;
  snapshot.seen_ = seen_;
  snapshot.stable_ = stable_;
  snapshot.unsynced_names_ = unsynced_names_;
  Copier<InodeRef> copied;
  for (auto& [path, inode] : snapshot.seen_) inode = copied(inode);
  for (auto& [path, inode] : snapshot.stable_) inode = copied(inode);
  for (NameChange& change : snapshot.unsynced_names_) change.inode = copied(change.inode);
  return snapshot;
}

void Disk::restore(const Snapshot& snapshot) {
  RINGPOST_ASSERT(open_.empty());
  RINGPOST_ASSERT(flights_.empty());
  directories_ = snapshot.directories_;
  seen_ = snapshot.seen_;
  stable_ = snapshot.stable_;
  unsynced_names_ = snapshot.unsynced_names_;
  Copier<InodeRef> copied;  // The snapshot can be restored again.
  for (auto& [path, inode] : seen_) inode = copied(inode);
  for (auto& [path, inode] : stable_) inode = copied(inode);
  for (NameChange& change : unsynced_names_) change.inode = copied(change.inode);
}

}  // namespace ringpost::sim
