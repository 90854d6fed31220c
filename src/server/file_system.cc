#include "server/file_system.h"

#include <algorithm>
#include <iterator>
#include <linux/magic.h>
#include <string_view>
#include <sys/vfs.h>

namespace ringpost::server {

using Verdict = Finding::Verdict;

Finding judge_file_system(uint64_t type) {
  struct Kind {
    uint64_t type;
    std::string_view name;
    Verdict verdict;
  };
  constexpr Kind kinds[] = {
      {EXT4_SUPER_MAGIC, "ext4", Verdict::ok},
      {XFS_SUPER_MAGIC, "XFS", Verdict::ok},
      {BTRFS_SUPER_MAGIC, "Btrfs", Verdict::ok},
      {F2FS_SUPER_MAGIC, "F2FS", Verdict::ok},
      {0x2fc12fc1, "ZFS", Verdict::ok},
      {TMPFS_MAGIC, "tmpfs", Verdict::warning},
      {RAMFS_MAGIC, "ramfs", Verdict::warning},
      {OVERLAYFS_SUPER_MAGIC, "overlayfs", Verdict::warning},
      {FUSE_SUPER_MAGIC, "FUSE", Verdict::warning},
      {NFS_SUPER_MAGIC, "NFS", Verdict::failure},
      {CIFS_SUPER_MAGIC, "CIFS", Verdict::failure},
      {SMB_SUPER_MAGIC, "SMB", Verdict::failure},
      {SMB2_SUPER_MAGIC, "SMB", Verdict::failure},
      {V9FS_MAGIC, "9p", Verdict::failure},
      {CEPH_SUPER_MAGIC, "CephFS", Verdict::failure},
      {AFS_SUPER_MAGIC, "AFS", Verdict::failure},
  };
  // 32 bits: f_type is signed.
  const auto kind = std::ranges::find(kinds, type & 0xffffffff, &Kind::type);
  if (kind == std::end(kinds)) {
    return ok("file system", "of a kind that is not known here, number " + std::to_string(type));
  }
  const std::string name{kind->name};
  if (kind->verdict == Verdict::ok) return ok("file system", name);
  if (kind->verdict == Verdict::failure) {
    return failure("file system", name + ", over the network",
                   "use a local disk: locks and durable writes cannot be relied on there");
  }
  if (type == FUSE_SUPER_MAGIC) {
    return warning("file system", name + ": a program in between",
                   "make sure that it keeps what fdatasync promises, or use a local disk");
  }
  return warning("file system",
                 name + ": " +
                     (type == OVERLAYFS_SUPER_MAGIC ? "it goes when the container is removed"
                                                    : "it goes at the next boot"),
                 "put the data directory on a disk or a volume");
}

std::string object_to_file_system(const std::string& directory, uint64_t type) {
  const Finding finding = judge_file_system(type);
  if (finding.verdict != Verdict::failure) return {};
  return directory + " is on " + finding.text + ": " + finding.remedy +
         ". To start all the same: --set journal.accept_network_disk=true";
}

std::string object_to_file_system(const std::string& directory) {
  struct statfs facts {};
  if (statfs(directory.c_str(), &facts) != 0) return {};
  return object_to_file_system(directory, static_cast<uint64_t>(facts.f_type));
}

}  // namespace ringpost::server
