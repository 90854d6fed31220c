#include "journal/segment_scan.h"

#include <algorithm>
#include <array>

namespace ringpost::journal {

Result<Bytes> FileInput::at(uint32_t offset, uint32_t size) {
  RINGPOST_ASSERT(offset % page_bytes == 0);
  const uint64_t window_end = uint64_t{begin_} + size_;
  const bool held = offset >= begin_ && offset <= window_end &&
                    (uint64_t{offset} + size <= window_end || at_end_);
  if (!held) {
    const uint32_t wanted = std::max(round_up(size, page_bytes), window_bytes);
    if (window_.capacity() < wanted) window_ = BlockBuffer(wanted);
    auto read = disk_.read_at(file_, offset, {window_.data(), wanted});
    if (!read) {
      size_ = 0;
      return read.error();
    }
    begin_ = offset;
    size_ = static_cast<uint32_t>(*read);
    at_end_ = size_ < wanted;
    bytes_read_ += size_;
  }
  const uint32_t from = offset - begin_;
  return Bytes{window_.data() + from, std::min(size, size_ - from)};
}

void FileInput::reset(io::File file) {
  file_ = file;
  begin_ = 0;
  size_ = 0;
  at_end_ = false;
  if (window_.capacity() > window_bytes) window_ = BlockBuffer();
}

namespace {

bool all_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

class Scanner {
 public:
  Scanner(SegmentInput& input, const ScanRequest& request, RecordSink& sink)
      : input_(input), request_(request), sink_(sink), claims_left_(uint64_t{4} * request.size) {
    const uint64_t room = std::min<uint64_t>(request.file_bytes, request.size - page_bytes);
    limit_ = static_cast<uint32_t>(request.footer ? std::min<uint64_t>(request.footer->end, room)
                                                  : room);
    if (end_is_known()) certain_ = request.known_end;
    if (request.footer) certain_ = request.footer->end;
  }

  Result<SegmentScan> run();

 private:
  /// A range that is not as it was written, or was never finished.
  struct Suspect {
    ByteRange range;
    uint32_t gap_end = 0;  // Nonzero: only a block header; records behind it were found.
  };

  bool end_is_known() const { return request_.end_kind != PreviousEnd::sealed; }
  Result<std::optional<BlockHeader>> block_at(uint32_t offset);
  Result<bool> take_block(uint32_t offset);
  Result<void> take_records(const BlockHeader& header, uint32_t offset, Bytes block);
  Result<uint32_t> take_gap(uint32_t begin);
  Result<uint32_t> close_gap(const ByteRange& gap, uint32_t bad_from,
                             std::optional<size_t> header_only);
  Result<uint32_t> next_block(uint32_t from, uint32_t to);
  Result<std::optional<uint32_t>> take_record_between(uint32_t& at, uint32_t to);
  Result<bool> take_record_if_whole(uint32_t offset, const RecordHeader& header);
  Result<void> deliver(uint32_t offset, const RecordHeader& header, Bytes record);
  void suspect(uint32_t begin, uint32_t end) {
    if (begin < end) suspects_.push_back({{begin, end}});
  }
  void check_footer();
  bool is_damage(const Suspect& suspect) const;
  void judge();
  void judge_end();
  void judge_known_end(uint32_t known_end);
  bool torn() const;

  SegmentInput& input_;
  const ScanRequest& request_;
  RecordSink& sink_;
  SegmentScan result_;
  uint32_t limit_;                 // Blocks end here at the latest.
  uint32_t certain_ = page_bytes;  // Everything that begins below it was durable once.
  uint32_t next_sequence_ = 0;
  uint32_t next_ordinal_ = 0;
  uint32_t blocks_crc_ = 0;
  uint32_t good_end_ = page_bytes;  // Behind the last good block or record.
  uint32_t kept_end_ = page_bytes;  // Behind the page in which the last good record ends.
  uint32_t last_attempt_ = 0;       // The last page that claims to be a block and is none.
  std::vector<Suspect> suspects_;
  // Payloads may be full of what looks like headers with large claims. The search stays linear.
  uint64_t claims_left_;
};

Result<SegmentScan> Scanner::run() {
  uint32_t offset = page_bytes;
  while (offset < limit_) {
    const auto taken = take_block(offset);
    if (!taken) return taken.error();
    if (*taken) {
      offset = good_end_;
      continue;
    }
    const auto behind = take_gap(offset);
    if (!behind) return behind.error();
    offset = *behind;
  }
  if (request_.footer) check_footer();
  judge();
  return result_;
}

/// The block at `offset`, if there is one whose checksum is right.
Result<std::optional<BlockHeader>> Scanner::block_at(uint32_t offset) {
  const std::optional<BlockHeader> none;
  const auto head = input_.at(offset, block_header_bytes);
  if (!head) return head.error();
  const auto header = peek_block_header(*head, request_.generation.segment());
  if (!header) return none;
  result_.used = true;
  last_attempt_ = offset;
  const uint64_t size = uint64_t{block_header_bytes} + header->payload_bytes;
  if (offset + size > limit_ || header->sequence < next_sequence_) return none;
  const auto block = input_.at(offset, static_cast<uint32_t>(size));
  if (!block) return block.error();
  const bool whole = verify_block(*header, request_.generation, offset, *block);
  return whole ? header : none;
}

Result<bool> Scanner::take_block(uint32_t offset) {
  const auto found = block_at(offset);
  if (!found) return found.error();
  if (!*found) return false;
  const BlockHeader& header = **found;
  const uint32_t used = block_header_bytes + header.payload_bytes;
  const auto block = input_.at(offset, header.span());
  if (!block) return block.error();
  if (block->size() < used) return false;

  std::array<std::byte, 4> crc;
  store_le(crc.data(), header.crc);
  blocks_crc_ = crc32c(blocks_crc_, crc);
  next_sequence_ = header.sequence + 1;
  certain_ = std::max(certain_, header.durable_offset);
  ++result_.blocks;

  const bool padding_ok = all_zero(block->subspan(used));
  if (auto taken = take_records(header, offset, *block); !taken) return taken.error();
  good_end_ = offset + header.span();
  if (!padding_ok) suspect(offset + used, good_end_);
  return true;
}

Result<void> Scanner::take_records(const BlockHeader& header, uint32_t offset, Bytes block) {
  uint32_t at = block_header_bytes;
  for (uint32_t index = 0; index < header.record_count; ++index) {
    const Bytes rest = block.subspan(at);
    const auto record = peek_record_header(rest, rest.size());
    RINGPOST_ASSERT(record.has_value());  // The block's checksum covers the record headers.
    const auto span = static_cast<uint32_t>(record_span(record->payload_bytes));
    if (verify_record(*record, request_.generation, offset + at, rest)) {
      if (auto taken = deliver(offset + at, *record, rest); !taken) return taken;
    } else {
      suspect(offset + at, offset + at + span);
    }
    at += span;
  }
  return {};
}

Result<void> Scanner::deliver(uint32_t offset, const RecordHeader& header, Bytes record) {
  result_.used = true;
  if (header.ordinal > next_ordinal_) result_.records_lost += header.ordinal - next_ordinal_;
  next_ordinal_ = header.ordinal + 1;
  ++result_.records;
  good_end_ = offset + static_cast<uint32_t>(record_span(header.payload_bytes));
  kept_end_ = round_up(good_end_, page_bytes);
  return sink_.on_record(
      {offset, header, record.subspan(record_header_bytes, header.payload_bytes)});
}

/// No block at `begin`: delivers what records there are up to the next block.
/// @returns where that block is, or limit_.
Result<uint32_t> Scanner::take_gap(uint32_t begin) {
  constexpr uint32_t step = FileInput::window_bytes / 2;
  std::optional<size_t> header_only;
  uint32_t bad_from = begin;
  uint32_t at = begin;  // Searched up to here.
  uint32_t page = begin;
  for (bool found_block = false; page < limit_ && !found_block;) {
    const uint32_t base = at / page_bytes * page_bytes;
    const uint32_t step_end = std::min(limit_, page + step);
    // Held at once, so that looking for blocks and then for records reads it once.
    if (auto held = input_.at(base, step_end - base); !held) return held.error();
    const auto next = next_block(page + page_bytes, step_end);
    if (!next) return next.error();
    page = *next;
    for (;;) {
      const auto record = take_record_between(at, page);
      if (!record) return record.error();
      if (!*record) break;
      if (**record == begin + block_header_bytes) header_only = suspects_.size();
      suspect(bad_from, **record);
      bad_from = at = good_end_;
    }
    page = std::min(limit_, std::max(page, round_up(at, page_bytes)));
    if (page < limit_) {
      const auto block = block_at(page);
      if (!block) return block.error();
      found_block = block->has_value();
    }
  }
  return close_gap({begin, page}, bad_from, header_only);
}

/// Names what is bad at the end of a gap, and no more: zeros behind the last record are its block's
/// padding, and the block's checksum is wrong also because of one record.
Result<uint32_t> Scanner::close_gap(const ByteRange& gap, uint32_t bad_from,
                                    std::optional<size_t> header_only) {
  bool padding = false;
  if (bad_from > gap.begin && bad_from < gap.end && gap.end - bad_from < page_bytes) {
    const uint32_t base = bad_from / page_bytes * page_bytes;
    const auto bytes = input_.at(base, gap.end - base);
    if (!bytes) return bytes.error();
    padding = bytes->size() > bad_from - base && all_zero(bytes->subspan(bad_from - base));
  }
  if (!padding) suspect(bad_from, gap.end);
  if (header_only && *header_only + 1 < suspects_.size()) {
    suspects_.erase(suspects_.begin() + static_cast<ptrdiff_t>(*header_only));
  } else if (header_only) {
    suspects_[*header_only].gap_end = gap.end;
  }
  return gap.end;
}

/// The first page in [from, to) at which a good block begins; `to` if there is none.
Result<uint32_t> Scanner::next_block(uint32_t from, uint32_t to) {
  for (uint32_t page = from; page < to; page += page_bytes) {
    const auto head = input_.at(page, block_header_bytes);
    if (!head) return head.error();
    const auto claim = peek_block_header(*head, request_.generation.segment());
    if (!claim || claim->payload_bytes > claims_left_) continue;
    claims_left_ -= claim->payload_bytes;
    const auto block = block_at(page);
    if (!block) return block.error();
    if (*block) return page;
  }
  return to;
}

/// Delivers the first good record that begins in [at, to).
/// @param at  moves to where it begins, or to where the search ended.
Result<std::optional<uint32_t>> Scanner::take_record_between(uint32_t& at, uint32_t to) {
  const std::optional<uint32_t> none;
  while (at < to) {
    const uint32_t base = at / page_bytes * page_bytes;
    const auto bytes = input_.at(base, std::min(limit_ - base, FileInput::window_bytes / 2));
    if (!bytes) return bytes.error();
    if (bytes->size() < at - base + record_header_bytes) break;  // The end of the file.
    std::optional<RecordHeader> header;
    for (; at < to && at - base + record_header_bytes <= bytes->size(); at += 8) {
      header = peek_record_header(bytes->subspan(at - base), limit_ - at);
      if (header) break;
    }
    if (!header) continue;
    const auto taken = take_record_if_whole(at, *header);
    if (!taken) return taken.error();
    if (*taken) return std::optional{at};
    at += 8;
  }
  at = std::max(at, to);
  return none;
}

Result<bool> Scanner::take_record_if_whole(uint32_t offset, const RecordHeader& header) {
  const auto span = static_cast<uint32_t>(record_span(header.payload_bytes));
  if (header.ordinal < next_ordinal_ || span > claims_left_) return false;
  claims_left_ -= span;
  const uint32_t base = offset / page_bytes * page_bytes;
  const auto bytes = input_.at(base, offset - base + span);
  if (!bytes) return bytes.error();
  if (bytes->size() < offset - base + span) return false;
  const Bytes record = bytes->subspan(offset - base);
  if (!verify_record(header, request_.generation, offset, record)) return false;
  if (auto taken = deliver(offset, header, record); !taken) return taken.error();
  return true;
}

void Scanner::check_footer() {
  const SegmentFooter& footer = *request_.footer;
  if (footer.records > next_ordinal_) result_.records_lost += footer.records - next_ordinal_;
  const bool agrees = footer.blocks == result_.blocks && footer.blocks_crc == blocks_crc_;
  if (suspects_.empty() && !agrees) suspect(page_bytes, footer.end);
}

bool Scanner::is_damage(const Suspect& suspect) const {
  if (suspect.range.begin >= certain_) return false;
  // The header of the torn block whose first records were kept lies below the known end, and was
  // not durable either.
  const bool torn_block = suspect.gap_end != 0 && request_.end_kind == PreviousEnd::torn &&
                          request_.known_end > suspect.range.begin &&
                          request_.known_end <= suspect.gap_end;
  return !torn_block;
}

/// Only now is it known up to where everything was durable.
void Scanner::judge() {
  result_.end = std::min(good_end_, limit_);
  result_.kept_end = kept_end_;
  bool unfinished = false;
  for (const Suspect& suspect : suspects_) {
    if (is_damage(suspect)) {
      result_.damaged.push_back(suspect.range);
    } else if (suspect.gap_end == 0 && !unfinished) {
      unfinished = true;
      result_.end = suspect.range.begin;
    }
  }
  judge_end();
}

void Scanner::judge_end() {
  if (request_.footer) {
    return judge_known_end(request_.footer->end);
  }
  if (kept_end_ < request_.written.certain) {
    result_.lost_end = ByteRange{kept_end_, request_.written.end};
  }
  if (end_is_known()) {
    if (certain_ > limit_) result_.damaged.push_back({limit_, certain_});  // Cut off since.
    judge_known_end(request_.known_end);
  } else if (torn()) {
    result_.torn_at = result_.end;
  }
}

/// All blocks up to `known_end` were durable.
void Scanner::judge_known_end(uint32_t known_end) {
  result_.end = known_end;
  if (good_end_ >= known_end) return;
  uint32_t blocks = (known_end - good_end_) / page_bytes;  // Or fewer, of more pages each.
  if (const auto& footer = request_.footer) {
    const uint32_t records = footer->records - std::min(footer->records, next_ordinal_);
    blocks = std::min({blocks, footer->blocks - std::min(footer->blocks, next_sequence_), records});
  }
  if (blocks > Written::blocks_spared) result_.lost_end = ByteRange{kept_end_, known_end};
}

/// Behind the end of an unfinished segment lie zeros, or blocks of a former life of the file. Part
/// of a block of this life, or records of one, are an unfinished write. What was durable and is not
/// there is reported in the same way.
bool Scanner::torn() const {
  if (kept_end_ < request_.written.end) return true;
  if (request_.file_bytes < request_.size) return true;
  return std::any_of(suspects_.begin(), suspects_.end(), [&](const Suspect& suspect) {
    if (is_damage(suspect)) return false;
    const uint32_t begin = suspect.range.begin;
    return suspect.range.end < limit_ || begin % page_bytes != 0 || last_attempt_ >= begin;
  });
}

}  // namespace

Result<SegmentScan> scan_segment(SegmentInput& input, const ScanRequest& request,
                                 RecordSink& sink) {
  return Scanner(input, request, sink).run();
}

}  // namespace ringpost::journal
