#pragma once

#include "base/assert.h"
#include "journal/format.h"
#include "journal/record.h"
#include "journal/writer.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ringpost::index::testing {

inline constexpr uint64_t directory_id = 0x0123456789abcdef;
inline const std::string journal_directory = "/data/journal";

/// The bytes of a segment file, from records that are known at once: blocks of at most 16 KiB.
class SegmentMaker {
 public:
  SegmentMaker(uint16_t journal, uint32_t segment)
      : generation_(directory_id, journal, segment), bytes_(journal::page_bytes) {}

  uint16_t journal() const { return generation_.journal(); }
  uint32_t segment() const { return generation_.segment(); }

  /// Where the next record will be.
  journal::Position next() const {
    return journal::Position::make(journal(), segment(), static_cast<uint32_t>(next_offset()));
  }
  void append(journal::RecordType type, Bytes payload) {
    const uint64_t at = next_offset();
    if (block_records_ == 0) bytes_.resize(bytes_.size() + journal::block_header_bytes);
    const auto span = static_cast<size_t>(journal::record_span(payload.size()));
    bytes_.resize(bytes_.size() + span);
    write_record({.payload_bytes = static_cast<uint32_t>(payload.size()),
                  .type = static_cast<uint8_t>(type),
                  .ordinal = records_++},
                 generation_, static_cast<uint32_t>(at), payload, &bytes_[at]);
    if (block_records_ == 0) records_crc_ = generation_.seed(block_at());
    records_crc_ = crc32c(records_crc_, Bytes{bytes_}.subspan(at, journal::record_header_bytes));
    ++block_records_;
    if (bytes_.size() - block_at_ > 16 * 1024) finish_block();
  }
  void append(const journal::EventView& event) {
    append(journal::RecordType::event, journal::EventCodec::encode(event)->record());
  }
  void append(const journal::OutcomeView& outcome) {
    std::vector<std::byte> record;
    encode_outcome(outcome, record);
    append(journal::RecordType::outcome, record);
  }

  /// The file as it is at this moment; sealed, or as a crash leaves it.
  std::string file(bool sealed) const {
    SegmentMaker copy = *this;
    if (copy.block_records_ > 0) copy.finish_block();
    const auto end = static_cast<uint32_t>(copy.bytes_.size());
    const uint32_t size = std::max(end + journal::page_bytes, journal::segment_bytes_min);
    copy.bytes_.resize(size);
    journal::write_segment_header({.journal = journal(),
                                   .segment = segment(),
                                   .size = size,
                                   .directory_id = directory_id,
                                   .previous = segment() - 1},
                                  MutableBytes{copy.bytes_}.first(journal::page_bytes));
    if (sealed) {
      write_segment_footer({.blocks = copy.blocks_,
                            .records = copy.records_,
                            .end = end,
                            .blocks_crc = copy.blocks_crc_},
                           generation_, size - journal::page_bytes,
                           MutableBytes{copy.bytes_}.subspan(size - journal::page_bytes));
    }
    return std::string(as_text(copy.bytes_));
  }

 private:
  uint32_t block_at() const { return static_cast<uint32_t>(block_at_); }
  uint64_t next_offset() const {
    return bytes_.size() + (block_records_ == 0 ? journal::block_header_bytes : 0);
  }
  void finish_block() {
    const auto payload = bytes_.size() - block_at_ - journal::block_header_bytes;
    journal::write_block_header({.sequence = blocks_++,
                                 .payload_bytes = static_cast<uint32_t>(payload),
                                 .record_count = block_records_,
                                 .durable_offset = block_at()},
                                segment(), &bytes_[block_at_]);
    const uint32_t crc = journal::seal_block(&bytes_[block_at_], records_crc_);
    blocks_crc_ = crc32c(blocks_crc_, std::as_bytes(std::span{&crc, 1}));
    bytes_.resize(journal::round_up(static_cast<uint32_t>(bytes_.size()), journal::page_bytes));
    block_at_ = bytes_.size();
    block_records_ = 0;
  }

  journal::Generation generation_;
  std::vector<std::byte> bytes_;
  size_t block_at_ = journal::page_bytes;
  uint32_t blocks_ = 0;
  uint32_t records_ = 0;
  uint32_t block_records_ = 0;
  uint32_t records_crc_ = 0;
  uint32_t blocks_crc_ = 0;
};

}  // namespace ringpost::index::testing
