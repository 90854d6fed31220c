#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "io/disk.h"
#include "journal/block_buffer.h"
#include "journal/format.h"
#include "journal/position.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace ringpost::journal {

/// The bytes of one segment file.
class SegmentInput {
 public:
  virtual ~SegmentInput() = default;
  /// The bytes from `offset` on: `size` of them, or fewer at the end of the file. Valid until the
  /// next call. @param offset  a multiple of page_bytes.
  virtual Result<Bytes> at(uint32_t offset, uint32_t size) = 0;
};

/// Reads a file in large steps, ahead of what is asked for.
class FileInput final : public SegmentInput {
 public:
  static constexpr uint32_t window_bytes = 2 * 1024 * 1024;

  FileInput(io::Disk& disk, io::File file) : disk_(disk), file_(file) {}
  Result<Bytes> at(uint32_t offset, uint32_t size) override;

  /// For the next file, with the same memory.
  void reset(io::File file);
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  io::Disk& disk_;
  io::File file_;
  BlockBuffer window_;
  uint32_t begin_ = 0;
  uint32_t size_ = 0;
  bool at_end_ = false;
  uint64_t bytes_read_ = 0;
};

/// A record whose checksum is right.
struct ScannedRecord {
  uint32_t offset = 0;
  RecordHeader header;
  Bytes payload;  ///< Valid until the next record.
};

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  /// An error stops the scan, which returns it.
  virtual Result<void> on_record(const ScannedRecord& record) = 0;
};

/// What is known of a segment before its blocks are read.
struct ScanRequest {
  Generation generation;
  uint64_t file_bytes = 0;
  uint32_t size = 0;                    ///< As the header says.
  std::optional<SegmentFooter> footer;  ///< If it is sealed.
  PreviousEnd end_kind = PreviousEnd::sealed;
  uint32_t known_end = 0;  ///< Unless end_kind is sealed: the end that a later header names.
  Written written;         ///< What is remembered of it, if it is of this segment.
};

struct ByteRange {
  uint32_t begin = 0;
  uint32_t end = 0;

  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct SegmentScan {
  bool used = false;               ///< There is, or was, at least part of a block.
  uint32_t end = page_bytes;       ///< Where the contents end; behind it nothing was ever durable.
  uint32_t kept_end = page_bytes;  ///< Behind the page in which the last good record ends.
  uint32_t blocks = 0;
  uint32_t records = 0;
  uint64_t records_lost = 0;        ///< Gaps in the numbering of the records.
  std::vector<ByteRange> damaged;   ///< Was durable, and is not as it was written.
  std::optional<uint32_t> torn_at;  ///< An unfinished write begins here (not if it is known).
  /// Was durable, and nothing of it is there, nor anything behind it: the whole end is gone. Losses
  /// that may be of no more than Written::blocks_spared blocks do not count.
  std::optional<ByteRange> lost_end;
};

/// Gives every record of a segment whose own checksum is right to `sink`, in order: also those in
/// damaged blocks and in the torn last one. Then tells damage from an unfinished end: a block says
/// up to where everything was durable when it was written (src/journal/README.md).
Result<SegmentScan> scan_segment(SegmentInput& input, const ScanRequest& request, RecordSink& sink);

}  // namespace ringpost::journal
