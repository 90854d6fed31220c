#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "io/disk.h"
#include "journal/recovery.h"
#include "journal/writer.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::journal {

/// Creates, recycles and removes the segment files of all journals, in steps short enough for a
/// thread that has other things to do. Used by the control thread only.
///
/// A file becomes a segment by its name: it is filled (or taken over) as `00000042.new`, gets its
/// header, is synced, renamed to `00000042.seg`, and the directory is synced. Then the journal's
/// mark names it as the newest, durably, and only then it is handed out. From then on it never
/// changes its size, and stays until it has expired.
class SegmentKeeper {
 public:
  struct Options {
    std::string journal_directory;  ///< `<data_dir>/journal`.
    uint64_t directory_id = 0;
    uint32_t segment_bytes = 64 * 1024 * 1024;
    uint32_t spares_max = 2;                    ///< Expired files kept per journal for reuse.
    uint64_t free_bytes_min = 8 * 1024 * 1024;  ///< Left to others (the control store) on the disk.
  };

  SegmentKeeper(io::Disk& disk, const Options& options);
  ~SegmentKeeper();
  SegmentKeeper(const SegmentKeeper&) = delete;
  SegmentKeeper& operator=(const SegmentKeeper&) = delete;

  /// Takes charge of a journal: of one that recovery reported, or of a new one (`end` with nothing
  /// but its number). Creates its directory, and writes down how the journal ended, durably: only
  /// that lets files go that were prepared behind the end and never used. Blocking, at start.
  Result<void> open(const JournalEnd& end);

  /// Asks for one more segment of a journal that is open.
  void want(uint16_t journal);

  enum class Progress : uint8_t {
    idle,      ///< Nothing to do.
    working,   ///< More to do: call again soon.
    ready,     ///< A segment is finished: `take` it.
    no_space,  ///< The disk is full. Nothing was left behind; call again in a second.
    failed,    ///< `error()` says what; `path()` of what. Call again in a second.
  };
  /// Does one piece of work: at most 1 MiB of writing, or one sync.
  /// @param now  becomes the segment's creation time.
  Progress step(WallTime now);
  bool busy() const { return job_.has_value() || !wants_.empty(); }
  const Error& error() const { return error_; }
  const std::string& path() const { return error_path_; }

  struct Ready {
    uint16_t journal = 0;
    PreparedSegment segment;
  };
  /// The next finished segment; its file stays the keeper's to close.
  std::optional<Ready> take();

  /// The shard has sealed `number`: closes its file.
  void sealed(uint16_t journal, uint32_t number);

  /// Remembers how far a journal is durable now, so that the loss of an end is noticed. One short
  /// write to the page cache. @param journal  an open one.
  Result<void> note_written(uint16_t journal, const Written& written);

  /// Everything below `first_needed` may go. The caller knows that no event in there is undelivered
  /// or to be kept, and no outcome in there belongs to an event that stays. Segments that are not
  /// sealed stay. Only whole beginnings go: a hole always means loss.
  Result<void> expire(uint16_t journal, uint32_t first_needed);

  struct Segment {
    uint32_t number = 0;
    bool open = false;  ///< Handed out and not sealed yet.
  };
  /// The segments of a journal that have not expired, oldest first.
  std::vector<Segment> segments(uint16_t journal) const;
  /// The first segment that has not expired, as the journal's mark says.
  uint32_t oldest(uint16_t journal) const { return journals_.at(journal).end.oldest; }
  uint32_t segment_bytes() const { return options_.segment_bytes; }

  /// Whether the file system does O_DIRECT; known once a segment was prepared.
  std::optional<bool> direct() const { return direct_; }

 private:
  struct Journal {
    JournalEnd end;                     // `next_segment` and `previous` go on with each one.
    std::map<uint32_t, io::File> live;  // Invalid where not handed out.
    std::vector<uint32_t> spares;       // Files under a segment's name that may be reused.
    std::vector<uint32_t> leftovers;    // The same under the name of an unfinished one.
    io::File written;                   // Invalid until something is noted.
  };
  /// The segment that is being prepared.
  struct Job {
    uint16_t journal = 0;
    uint32_t number = 0;
    io::File file;
    uint64_t filled = 0;
    uint64_t synced = 0;
    bool reused = false;
    io::File named;  // Under its segment's name, for its shard; invalid until it has that name.
  };

  Result<void> write_mark(const Journal& journal);
  Result<void> open_written(Journal& journal);
  Result<void> start_job();
  Result<bool> reuse_file(Journal& journal, const std::string& unfinished);
  Result<void> fill();
  Result<void> finish_file(WallTime now);
  Result<void> name_file();
  Result<void> hand_out();
  Result<void> write_header(const Journal& journal, WallTime now);
  Progress drop_job(const Error& error);
  Progress failed(const Error& error, std::string path);
  Result<void> drop_spares(Journal& journal);

  std::string directory(uint16_t journal) const;
  std::string segment_file(uint16_t journal, uint32_t number) const;
  std::string unfinished_file(uint16_t journal, uint32_t number) const;

  io::Disk& disk_;
  const Options options_;
  std::map<uint16_t, Journal> journals_;
  std::deque<uint16_t> wants_;
  std::optional<Job> job_;
  std::deque<Ready> ready_;
  std::optional<bool> direct_;
  Error error_{};
  std::string error_path_;
};

}  // namespace ringpost::journal
