#include "journal/repair.h"

#include <algorithm>
#include <array>

namespace ringpost::journal {
namespace {

constexpr uint32_t block_bytes_max = 256 * 1024;  // As the writer makes them.

/// Puts records at given offsets, and blocks around them.
class Rebuilder final : public RecordSink {
 public:
  Rebuilder(const Generation& generation, uint32_t size, RecordSink& listener)
      : generation_(generation), listener_(listener), file_(size), size_(size) {}

  Result<void> on_record(const ScannedRecord& record) override {
    if (!reach(record.offset)) return {};
    last_ordinal_ = record.header.ordinal;
    ++records_kept_;
    append(record.header, record.payload);
    return listener_.on_record(record);
  }

  RepairedSegment finish(const SegmentHeader& header, const ScanRequest& request,
                         const SegmentScan& found) {
    finish_block();
    const uint32_t counted = records_kept_ == 0 ? 0 : last_ordinal_ + 1;
    const SegmentFooter footer{
        .blocks = blocks_,
        .records = std::max(counted, request.footer ? request.footer->records : 0),
        .end = round_up(cursor_, page_bytes),
        .blocks_crc = blocks_crc_};
    write_segment_header(header, MutableBytes{file_}.first(page_bytes));
    const uint32_t footer_at = size_ - page_bytes;
    write_segment_footer(footer, generation_, footer_at, MutableBytes{file_}.subspan(footer_at));
    return {.file = std::move(file_), .found = found, .records_kept = records_kept_};
  }

 private:
  bool is_open() const { return block_at_ != 0; }

  /// Fills what is before a record, from the last one on. @returns false if no record can be there:
  /// no writer puts one at such an offset.
  bool reach(uint32_t offset) {
    if (is_open() && offset == cursor_) return true;
    if (offset < page_bytes + block_header_bytes || offset < cursor_) return false;
    const uint32_t closed = round_up(cursor_, page_bytes);
    const uint32_t begin = last_begin(offset);
    const bool in_block = begin < closed;
    if (in_block && (!is_open() || offset - cursor_ < record_header_bytes)) return false;
    if (!in_block) {
      finish_block();
      fill_blocks(closed, begin);
      begin_block(begin);
    }
    fill(offset);
    return true;
  }

  /// Where the last block may begin that has a record at `offset`: at it, or behind a lost one.
  static uint32_t last_begin(uint32_t offset) {
    const uint32_t begin = (offset - block_header_bytes) / page_bytes * page_bytes;
    const uint32_t before = offset - begin - block_header_bytes;
    return before > 0 && before < record_header_bytes ? begin - page_bytes : begin;
  }

  void fill_blocks(uint32_t begin, uint32_t end) {
    while (begin < end) {
      const uint32_t block_end = std::min(end, begin + block_bytes_max);
      begin_block(begin);
      fill(block_end);
      finish_block();
      begin = block_end;
    }
  }

  /// A lost record up to `offset`. Its number is that of the record before it, so that the numbers
  /// still tell how many there were.
  void fill(uint32_t offset) {
    if (offset == cursor_) return;
    const std::vector<std::byte> zeros(offset - cursor_ - record_header_bytes);
    append({.payload_bytes = static_cast<uint32_t>(zeros.size()),
            .type = lost_record_type,
            .flags = record_flag_optional,
            .ordinal = last_ordinal_},
           zeros);
  }

  void append(const RecordHeader& header, Bytes payload) {
    std::byte* const to = &file_[cursor_];
    write_record(header, generation_, cursor_, payload, to);
    records_crc_ = crc32c(records_crc_, {to, record_header_bytes});
    ++block_records_;
    cursor_ += static_cast<uint32_t>(record_span(payload.size()));
  }

  void begin_block(uint32_t at) {
    block_at_ = at;
    block_records_ = 0;
    records_crc_ = generation_.seed(at);
    cursor_ = at + block_header_bytes;
  }

  void finish_block() {
    if (!is_open()) return;
    std::byte* const to = &file_[block_at_];
    write_block_header({.sequence = blocks_++,
                        .payload_bytes = cursor_ - block_at_ - block_header_bytes,
                        .record_count = block_records_,
                        .durable_offset = block_at_},
                       generation_.segment(), to);
    std::array<std::byte, 4> crc;
    store_le(crc.data(), seal_block(to, records_crc_));
    blocks_crc_ = crc32c(blocks_crc_, crc);
    cursor_ = round_up(cursor_, page_bytes);
    block_at_ = 0;
  }

  const Generation generation_;
  RecordSink& listener_;
  std::vector<std::byte> file_;
  const uint32_t size_;
  uint32_t cursor_ = page_bytes;  // Behind the last record, or block.
  uint32_t block_at_ = 0;         // 0: none is open.
  uint32_t block_records_ = 0;
  uint32_t records_crc_ = 0;
  uint32_t blocks_ = 0;
  uint32_t blocks_crc_ = 0;
  uint32_t records_kept_ = 0;
  uint32_t last_ordinal_ = 0;
};

}  // namespace

Result<RepairedSegment> repair_segment(SegmentInput& input, const ScanRequest& request,
                                       const SegmentHeader& header, bool is_whole,
                                       RecordSink& listener) {
  RINGPOST_ASSERT(header.size == request.size && request.size >= segment_bytes_min);
  Rebuilder rebuilder(request.generation, request.size, listener);
  const auto found = scan_segment(input, request, rebuilder);
  if (!found) return found.error();
  RepairedSegment repaired = rebuilder.finish(header, request, *found);
  repaired.was_sound = is_whole && found->damaged.empty() && !found->torn_at && !found->lost_end;
  return repaired;
}

}  // namespace ringpost::journal
