#pragma once

#include "base/result.h"
#include "io/ring.h"
#include "journal/block_buffer.h"
#include "journal/position.h"
#include "journal/record.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace ringpost::journal {

/// What the reader wants from its shard, and tells it. Called from the reader's own calls and from
/// the ring's turn.
class ExtentEvents {
 public:
  virtual ~ExtentEvents() = default;
  /// Wants the segment opened (open_segment); answered by ExtentReader::on_file.
  virtual void on_file_wanted(uint16_t journal, uint32_t segment) = 0;
  /// The file is not used any more: it is to be closed.
  virtual void on_file_unused(io::File file) = 0;
};

/// Reads events back from journals for one shard, through its ring: nothing blocks. It reads
/// extents, much more than one record, and keeps the last few: whoever works through a backlog
/// finds what comes next at hand, and so does everybody else whose events lie there.
///
/// Memory: `extents_max` extents while it is in use, nothing after a rest.
///
/// Thread safety: on its ring's thread.
class ExtentReader {
 public:
  struct Options {
    uint64_t directory_id = 0;
    uint32_t extent_bytes = 256 * 1024;  ///< A multiple of 4,096; a larger record gets its own.
    uint32_t extents_max = 16;
    uint32_t files_max = 16;
    uint32_t reads_max = 4;                         ///< In flight at the same time.
    Duration rest_after = std::chrono::seconds{5};  ///< Then files and memory are given back.
  };
  /// What a wish came to.
  struct Answer {
    uint64_t ticket = 0;
    EventRef event;  ///< Empty if it could not be read: then `error` says why.
    Error error{};
  };

  ExtentReader(io::Ring& ring, ExtentEvents& events, const Options& options);
  ~ExtentReader();  // Only when no read is under way (`idle`), or the ring is dead.

  /// The event at `position`, if that was read already; else nothing, and nothing is read.
  EventRef at_hand(Position position);
  /// Reads the event at `position`. Its answer comes by `next_answer`, with
  /// Errc::not_found if the segment has gone, Errc::corrupt if there is no such record or it is
  /// damaged, otherwise the file system's error.
  void want(Position position, uint64_t ticket);
  /// @returns false if there is no answer yet.
  bool next_answer(Answer& answer);
  bool has_answers() const { return !answers_.empty(); }

  /// @param file  open; or why it is not.
  void on_file(uint16_t journal, uint32_t segment, Result<io::File> file);

  bool idle() const { return reading_ == 0; }
  /// Bytes of memory held.
  uint64_t bytes() const;

 private:
  struct Wish {
    Position position;
    uint64_t ticket = 0;
    uint32_t bytes = 0;  ///< From the page of its header; 0: not known yet.
    bool again = false;  ///< The file turned out to be another segment's: it was opened again.
  };
  struct OpenFile {
    uint16_t journal = 0;
    uint32_t segment = 0;
    io::File file;  ///< Not valid: it is being opened.
    uint64_t used = 0;
    uint32_t reads = 0;        ///< Under way.
    std::vector<Wish> wishes;  ///< While it is being opened.
  };
  struct Extent {
    ExtentReader& reader;
    io::Completion op;
    Position begin;  ///< Of its first page.
    BlockBuffer buffer;
    uint32_t size = 0;  ///< Bytes that are there, or are being read; 0: not to be used.
    uint64_t used = 0;
    bool reading = false;
    std::vector<Wish> wishes;  ///< That wait for it.

    explicit Extent(ExtentReader& owner) : reader(owner) {}
    uint32_t end() const { return begin.offset() + size; }
    /// Whether it has the `bytes` from `position` on, or will.
    bool covers(Position position, uint32_t bytes) const;
    /// What it has from `position` on, which it covers.
    Bytes from(Position position) const;
    void on_read(const io::Outcome& outcome) { reader.on_read(*this, outcome); }
  };

  enum class Age : uint8_t { cached, just_read };

  void serve(const Wish& wish);
  void serve_from(Extent& extent, const Wish& wish, Age age);
  void retry(Extent& extent, const Wish& wish, Age age);
  Result<EventRef> decode(const Extent& extent, Position position) const;
  Result<EventRef> decode_once(const Extent& extent, Position position);
  static uint32_t span_of(const Extent& extent, Position position);
  Extent* find(Position position);
  void read_for(const Wish& wish);
  Extent* free_extent();
  OpenFile* file_for(Position position);
  OpenFile* find_file(Position position);
  void open_for(const Wish& wish);
  void open_again(Wish wish);
  void close(OpenFile& file);
  void drop_file_in_excess();
  void on_read(Extent& extent, const io::Outcome& outcome);
  void answer(const Wish& wish, Result<EventRef> event);
  void serve_queued();
  void on_rest();

  io::Ring& ring_;
  ExtentEvents& events_;
  const Options options_;
  std::vector<std::unique_ptr<Extent>> extents_;
  std::vector<OpenFile> files_;
  std::deque<Wish> queued_;  ///< For an extent to come free.
  std::deque<Answer> answers_;
  std::unordered_map<uint64_t, EventRef> answered_;  ///< The events of `answers_`, by position.
  uint32_t reading_ = 0;
  uint64_t clock_ = 0;  ///< Counts uses.
  io::Timer rest_timer_;
};

}  // namespace ringpost::journal
