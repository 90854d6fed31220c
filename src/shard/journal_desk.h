#pragma once

#include "base/clock.h"
#include "control/journal_orders.h"
#include "index/id_group.h"
#include "io/disk.h"
#include "journal/reader.h"
#include "journal/segments.h"
#include "shard/mailroom.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace ringpost::shard {

/// The journal thread's work: opens the files that shards read events back from, prepares, expires
/// and recycles segment files, and writes their indexes. Nobody waits here for what a person asked
/// for, and no person for what is done here. Blocking, in steps that are short as long as the disk
/// is quick. Knows no thread.
class JournalDesk {
 public:
  struct Options {
    std::string journal_directory;
    uint64_t directory_id = 0;
  };

  /// @param keeper  with every journal open; the desk's alone from now on. All outlive it.
  JournalDesk(io::Disk& disk, journal::SegmentKeeper& keeper, Mailroom& mailroom,
              const Options& options);

  /// Opens all files that are wanted, takes orders, remembers how far journals are durable, then
  /// does one piece of work on segments.
  /// @returns whether more is waiting to be done now.
  bool turn(WallTime wall_now, Instant now);
  /// When `turn` is wanted next without a message before.
  std::optional<Instant> due() const;
  bool has_messages();
  /// Closes the files that shards have given back, or were given and never took: once they are
  /// gone.
  void close_files();

 private:
  void open_files();
  void open(uint32_t shard, const FileOrder& order);
  void take_orders();
  void take(control::PrepareSegment&& order);
  void take(control::CloseSegment&& order);
  void take(control::IndexSegment&& order);
  void take(control::GroupIds&& order);
  void take(control::ExpireSegments&& order);
  void take(std::monostate&&) {}
  bool prepare(WallTime wall_now, Instant now);
  void expire(Instant now);
  void remove_indexes(uint16_t journal, uint32_t first_needed);
  bool index_next(Instant now);
  Result<void> make_index(control::IndexSegment& task);
  bool group_next();
  void postpone(control::IndexSegment&& task, const Error& error, Instant now);
  void note_written(Instant now);
  void fail(const char* what, const Error& error, Instant now);
  void flush();

  io::Disk& disk_;
  journal::SegmentKeeper& keeper_;
  Mailroom& mailroom_;
  const Options options_;
  std::map<uint16_t, uint32_t> expiring_;  ///< By journal: the first segment that stays.
  std::optional<Instant> retry_at_;        ///< Set while the disk refuses.
  std::optional<Error> failure_;           ///< As the log has it.
  std::deque<control::IndexSegment> indexing_;
  std::optional<Instant> index_retry_at_;  ///< Set while the disk takes no index.
  std::optional<Error> index_failure_;     ///< As the log has it.
  std::deque<std::unique_ptr<index::IdGroupWriter>> grouping_;  ///< The first may have begun.
  std::optional<Error> group_failure_;                          ///< As the log has it.
  std::optional<Instant> note_at_;     ///< When to look again how far journals are durable.
  std::optional<Error> note_failure_;  ///< As the log has it.
};

}  // namespace ringpost::shard
