#pragma once

#include "io/completion.h"
#include "io/disk.h"
#include "sim/content.h"
#include "sim/world.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ringpost::sim {

class Ring;

/// The disk of a world. Of every file it knows two contents: what a reader sees now, and what is on
/// stable storage; and of the directories likewise. They meet in `sync`, `sync_directory` and
/// durable writes, and a crash of the power shows the difference:
///
/// - a durable write in flight is there, is not there, or is torn: any subset of its sectors;
/// - bytes written and not synced likewise, sector by sector; a new size may be there or not;
/// - names created, renamed and removed since sync_directory are there or not, either as a prefix
///   of what was done or as any subset (file systems differ);
/// - everything else is exactly as it was.
///
/// Calls take no virtual time; durable writes and reads by a ring do.
class Disk final : public io::Disk {
 public:
  explicit Disk(World& world);
  ~Disk() override;

  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directory(const std::string& path) override;
  Result<io::File> open(const std::string& path, OpenMode mode) override;
  Result<io::File> open_journal(const std::string& path, bool& direct) override;
  void close(io::File file) override;
  Result<uint64_t> size(io::File file) override;
  Result<uint64_t> read_at(io::File file, uint64_t offset, MutableBytes into) override;
  Result<void> write_at(io::File file, uint64_t offset, Bytes from) override;
  Result<void> sync(io::File file) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<uint64_t> free_bytes(const std::string& path) override;
  Result<io::File> lock(const std::string& path) override;

  // --- for tests: the hand of a stranger; works at any time, is durable at once ------------------

  /// Bytes of all files together, each in whole pages, beyond which there is no space.
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }
  uint64_t used_bytes() const;
  /// The next `count` calls or durable writes of this kind fail with EIO.
  enum class Call : uint8_t { write, sync, read };
  void fail_next(Call call, uint32_t count) { failing_[static_cast<size_t>(call)] = count; }
  /// The power goes right after `count` more calls that change or sync something: from then on
  /// every call fails and does nothing, until the world's `crash` and `restart`.
  void cut_power_after(uint32_t count) { calls_left_ = count; }
  bool power_is_cut() const { return calls_left_ == 0u; }

  bool exists(const std::string& path) const;
  /// Paths of all files (not directories), sorted.
  std::vector<std::string> files() const;
  std::string read_file(const std::string& path) const;
  /// Creates or replaces a file, and its directory if it is missing.
  void write_file(const std::string& path, std::string_view content);
  void overwrite(const std::string& path, uint64_t offset, std::string_view bytes);
  void truncate(const std::string& path, uint64_t size);
  void flip_bit(const std::string& path, uint64_t offset, unsigned bit);
  void copy(const std::string& from, const std::string& to);
  void erase(const std::string& path);
  /// A directory with all that is in it.
  void erase_directory(const std::string& path);

  /// Everything on the disk at one moment, seen and stable, without what is in flight. Cheap: pages
  /// are shared.
  class Snapshot;
  Snapshot snapshot() const;
  /// No file is open: before the process begins, or after a crash.
  void restore(const Snapshot& snapshot);

  /// Durable writes that ended well; each is one "sync" in the sense of reliability D-3.
  uint64_t durable_write_count() const { return durable_write_count_; }

  // --- for rings and the world ------------------------------------------------------------------

  void submit_write(Ring& ring, io::Completion& op, io::File file, uint64_t offset, Bytes bytes);
  void submit_read(Ring& ring, io::Completion& op, io::File file, uint64_t offset,
                   MutableBytes into);
  void crash(Crash kind);
  void restart() {
    detached_ = false;
    calls_left_.reset();
  }

 private:
  struct Inode {
    Content seen;
    Content stable;
    std::set<size_t> unsynced_pages;
  };
  using InodeRef = std::shared_ptr<Inode>;
  using Names = std::map<std::string, InodeRef>;

  struct OpenFile {
    InodeRef inode;
    std::string path;
    bool writable = false;
    bool journal = false;
    bool lock = false;
  };
  struct NameChange {
    enum class What : uint8_t { create, rename, remove } what;
    std::string from;
    std::string to;  // rename only.
    InodeRef inode;

    bool in(const std::string& directory) const;
  };
  struct Flight {
    Ring* ring;
    io::Completion* op;
    InodeRef inode;
    uint64_t offset;
    Bytes lent;
    std::vector<std::byte> bytes;  // As submitted.
  };

  struct ReadFlight {
    Ring* ring;
    io::Completion* op;
    InodeRef inode;
    uint64_t offset;
    MutableBytes into;
  };

  bool fails(Call call, uint32_t per_10000);
  Duration latency();
  void finish_read(uint64_t number);
  bool gone();
  OpenFile& open_at(io::File file);
  io::File add_open(OpenFile file);
  InodeRef find(const std::string& path) const;
  Inode& inode_at(const std::string& path) const;
  bool has_directory_of(const std::string& path) const;
  bool fits(const Inode& inode, uint64_t size) const;
  Result<io::File> create(const std::string& path);
  static void apply(Names& names, const NameChange& change);
  static void make_stable(Inode& inode);
  static void write_stable(Inode& inode, uint64_t offset, Bytes bytes);

  void finish_write(uint64_t number);
  void tear(Flight& flight);
  void settle_flight(Flight& flight, Crash kind);
  void settle_names();
  void settle_content(Inode& inode);
  Content::PageRef mix_sectors(const Content::PageRef& old_page, const Content::PageRef& new_page,
                               uint32_t kept_per_8);

  World& world_;
  uint64_t capacity_ = uint64_t{1} << 40;
  bool detached_ = false;  // Between a crash and the restart.
  std::optional<uint32_t> calls_left_;
  uint32_t failing_[3] = {};
  int32_t last_handle_ = 0;
  uint64_t flight_count_ = 0;
  uint64_t durable_write_count_ = 0;
  std::set<std::string> directories_{"/"};
  Names seen_;
  Names stable_;
  std::vector<NameChange> unsynced_names_;  // In the order they were made.
  std::map<int32_t, OpenFile> open_;
  std::map<uint64_t, Flight> flights_;
  std::map<uint64_t, ReadFlight> reads_;
};

class Disk::Snapshot {
 private:
  friend class Disk;
  std::set<std::string> directories_;
  Names seen_;
  Names stable_;
  std::vector<NameChange> unsynced_names_;
};

}  // namespace ringpost::sim
