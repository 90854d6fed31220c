#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "replica/fault.h"

#include <compare>
#include <cstdint>
#include <vector>

// A block: what one group commit of one partition carries, and one record of the engine. The byte
// table and a worked example are in src/replica/README.md. Bytes in, facts out.

namespace ringpost::replica {

inline constexpr uint16_t block_version = 1;
inline constexpr uint32_t block_header_bytes = 48;
inline constexpr uint32_t record_header_bytes = 8;
/// Of a block with more than one record: a fetch of many partitions stays small.
inline constexpr uint32_t block_bytes_max = 256 * 1024;
/// Of a block with one record: the largest event (`ingest.event_bytes_max`, 16 MiB at most) and
/// its fields. The topic's `max.message.bytes` may allow less.
inline constexpr uint32_t lone_block_bytes_max = 17 * 1024 * 1024;
/// An ordinal has 16 bits.
inline constexpr uint32_t records_per_block_max = block_bytes_max / record_header_bytes;
static_assert(records_per_block_max <= 1 << 16);

/// Who wrote a block: a relay's number, and which of its runs.
struct Writer {
  uint16_t node = 0;
  uint64_t incarnation = 0;

  friend auto operator<=>(const Writer&, const Writer&) = default;
};

/// Where a block lies in its partition. The offset alone is not unique: after a rollback the next
/// block may have it again, with a higher leader epoch. Newer is greater.
struct BlockName {
  uint32_t epoch = 0;
  uint64_t offset = 0;

  friend auto operator<=>(const BlockName&, const BlockName&) = default;
};

/// The records of a block. EVENT has the number and the payload of the journal's; those of the
/// cluster begin at 16, so that a number means one thing in journals and in blocks.
enum class RecordType : uint8_t {
  event = 1,
  claim = 16,
  renew = 17,
  release = 18,
  fence = 19,
  outcome = 20,
  checkpoint = 21,
  settled = 22,
  forwarded = 23,
};

struct BlockHeader {
  Writer writer;
  uint64_t cluster_id = 0;
  uint64_t sequence = 0;  ///< From 1, by writer and partition.
  uint32_t record_count = 0;
  uint32_t body_bytes = 0;
  uint32_t crc = 0;  ///< CRC32C of header and body.

  friend bool operator==(const BlockHeader&, const BlockHeader&) = default;
};

/// A record of a type that this release knows.
struct RecordView {
  RecordType type{};
  uint16_t ordinal = 0;  ///< Counts all records of the block from 0.
  Bytes payload;         ///< Into the block's bytes.
};

struct Block {
  BlockHeader header;
  std::vector<RecordView> records;
};

/// Collects records and makes a block of them.
class BlockBuilder {
 public:
  BlockBuilder();

  bool empty() const { return record_count_ == 0; }
  /// Whether the next record may have `payload_bytes`: a block has at most block_bytes_max, or one
  /// record of any size up to lone_block_bytes_max.
  bool fits(size_t payload_bytes) const;
  /// @param payload  copied; it must fit.
  void add(RecordType type, Bytes payload);
  /// For a record that a reader which does not know its type may skip.
  void add_optional(uint8_t type, Bytes payload);
  /// The whole block; the builder is empty again.
  std::vector<std::byte> seal(const Writer& writer, uint64_t cluster_id, uint64_t sequence);

 private:
  void append(uint8_t type, uint8_t flags, Bytes payload);

  std::vector<std::byte> bytes_;  // Room for the header, then the body.
  uint32_t record_count_ = 0;
};

/// Reads a whole block; records of unknown optional types are left out. Nothing is believed before
/// the checksum says so.
/// @returns the Error of a Fault: Errc::corrupt for damage, Errc::unsupported for what a newer
///          ringpost wrote, Errc::conflict for another cluster's block.
Result<Block> read_block(Bytes bytes, uint64_t cluster_id);

}  // namespace ringpost::replica
