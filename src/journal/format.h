#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The bytes of a segment file, as src/journal/README.md defines them. Bytes in, facts out: nothing
// here touches a disk, and nothing read is believed before its checksum says so.

namespace ringpost::journal {

inline constexpr uint32_t page_bytes = 4096;  ///< Headers and blocks begin at multiples of it.
inline constexpr uint16_t format_version = 1;
inline constexpr uint32_t block_header_bytes = 32;
inline constexpr uint32_t record_header_bytes = 16;
inline constexpr uint32_t segment_bytes_min = 4 * page_bytes;
inline constexpr uint32_t segment_bytes_max = 256 * 1024 * 1024;  ///< Position has 28 bits.

constexpr uint32_t round_up(uint32_t value, uint32_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// Bytes that a record with `payload_bytes` takes in its block.
constexpr uint64_t record_span(uint64_t payload_bytes) {
  return record_header_bytes + (payload_bytes + 7) / 8 * 8;
}

/// Which segment some bytes belong to. Every checksum in a segment, but for its header's, starts
/// from this and the offset, so bytes of a former life of the file never pass.
class Generation {
 public:
  Generation(uint64_t directory_id, uint16_t journal, uint32_t segment);

  uint16_t journal() const { return journal_; }
  uint32_t segment() const { return segment_; }
  /// Where the checksum of something at `offset` starts from.
  uint32_t seed(uint32_t offset) const;

 private:
  uint16_t journal_;
  uint32_t segment_;
  uint32_t seed_;
};

// --- segment header: the first page --------------------------------------------------------------

/// How the segment before this one ended, to the knowledge of the one that prepared this one.
enum class PreviousEnd : uint8_t {
  sealed = 0,  ///< It seals itself with a footer when it is full (or there is none before).
  clean = 1,   ///< It was not full; recovery found its end at `previous_end`.
  torn = 2,    ///< Likewise, and an unfinished write behind that offset.
};

struct SegmentHeader {
  uint16_t journal = 0;
  uint32_t segment = 0;
  uint32_t size = 0;  ///< Bytes of the whole file; a multiple of page_bytes.
  uint64_t directory_id = 0;
  WallTime created_at{};
  uint32_t previous = 0;  ///< The number of the segment before this one; 0 for the first.
  PreviousEnd previous_kind = PreviousEnd::sealed;
  uint32_t previous_end = 0;  ///< Only if it is not sealed.

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

/// @param page  page_bytes long.
void write_segment_header(const SegmentHeader& header, MutableBytes page);
/// @returns Errc::corrupt if this is no header of ours or it is damaged; Errc::unsupported, with
///          the version as detail, if a newer ringpost wrote it.
Result<SegmentHeader> read_segment_header(Bytes page);

// --- footer: the last page of a full segment -----------------------------------------------------

struct SegmentFooter {
  uint32_t blocks = 0;
  uint32_t records = 0;
  uint32_t end = 0;         ///< Offset behind the last block.
  uint32_t blocks_crc = 0;  ///< crc32c over the blocks' checksums in their order.

  friend bool operator==(const SegmentFooter&, const SegmentFooter&) = default;
};

/// @param offset  of the page in the file; @param page  page_bytes long.
void write_segment_footer(const SegmentFooter& footer, const Generation& generation,
                          uint32_t offset, MutableBytes page);
/// The numbers at a footer's place, whether or not they are a footer's. @param page  page_bytes
/// long.
SegmentFooter peek_segment_footer(Bytes page);
/// @returns nothing if the page is no footer of this generation.
std::optional<SegmentFooter> read_segment_footer(const Generation& generation, uint32_t offset,
                                                 Bytes page);

// --- blocks --------------------------------------------------------------------------------------

struct BlockHeader {
  uint32_t sequence = 0;       ///< 0 for the first of its segment.
  uint32_t payload_bytes = 0;  ///< All records with their headers and padding.
  uint32_t record_count = 0;
  uint32_t durable_offset =
      0;  ///< Blocks that begin below it were durable before this was written.
  uint32_t crc = 0;

  uint32_t span() const { return round_up(block_header_bytes + payload_bytes, page_bytes); }
};

/// Writes everything but the checksum, which seal_block adds.
void write_block_header(const BlockHeader& header, uint32_t segment, std::byte* to);
/// @param records_crc  crc32c of the record headers in order, from generation.seed(offset).
/// @returns the checksum that it stored in the header.
uint32_t seal_block(std::byte* header, uint32_t records_crc);

/// What bytes at the place of a block header claim, unchecked. Nothing if they do not look like a
/// block of this segment at all.
std::optional<BlockHeader> peek_block_header(Bytes bytes, uint32_t segment);
/// Whether a block that begins at `offset` is whole as to its header and record headers. The
/// payloads have their own checksums.
/// @param bytes  at least the header and `header.payload_bytes`.
bool verify_block(const BlockHeader& header, const Generation& generation, uint32_t offset,
                  Bytes bytes);

// --- records -------------------------------------------------------------------------------------

inline constexpr uint8_t record_flag_optional = 1;  ///< Readers that do not know the type skip it.

struct RecordHeader {
  uint32_t payload_bytes = 0;
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t ordinal = 0;  ///< Counts the records of a segment from 0.
  uint32_t crc = 0;

  bool optional() const { return (flags & record_flag_optional) != 0; }
};

/// Writes header, payload and padding: record_span(payload.size()) bytes.
void write_record(const RecordHeader& header, const Generation& generation, uint32_t offset,
                  Bytes payload, std::byte* to);
/// What bytes at the place of a record header claim, unchecked. Nothing if they do not look like a
/// record, or claim more than `room` bytes.
std::optional<RecordHeader> peek_record_header(Bytes bytes, uint64_t room);
/// Whether the record that begins at `offset` is as it was written.
bool verify_record(const RecordHeader& header, const Generation& generation, uint32_t offset,
                   Bytes bytes);

// --- names ---------------------------------------------------------------------------------------

/// `007` and `00000042.seg`.
std::string journal_name(uint16_t journal);
std::string segment_name(uint32_t segment);
/// A segment that is being prepared: `00000042.new`.
std::string unfinished_name(uint32_t segment);
/// What src/index keeps beside a segment, and the same while it is written: `00000042.idx` and
/// `00000042.idx.new`.
std::string index_name(uint32_t segment);
std::string unfinished_index_name(uint32_t segment);
std::optional<uint16_t> parse_journal_name(std::string_view name);
std::optional<uint32_t> parse_segment_name(std::string_view name);
std::optional<uint32_t> parse_unfinished_name(std::string_view name);
/// Any name of a file of src/index: of a group's ids, the last segment.
std::optional<uint32_t> parse_index_name(std::string_view name);
/// `<journal_directory>/007`.
std::string journal_path(const std::string& journal_directory, uint16_t journal);
/// `<journal_directory>/007/00000042.seg`.
std::string segment_path(const std::string& journal_directory, uint16_t journal, uint32_t segment);

}  // namespace ringpost::journal
