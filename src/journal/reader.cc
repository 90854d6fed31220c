#include "journal/reader.h"

#include <algorithm>
#include <utility>

namespace ringpost::journal {
namespace {

constexpr Error corrupt{Errc::corrupt, Side::disk};
constexpr Error not_found{Errc::not_found, Side::disk};

constexpr uint32_t first_read_bytes = 16 * 1024;  // Most records fit: one read does.
constexpr uint32_t kept_bytes_max = 256 * 1024;   // A larger buffer was for one huge record.

uint16_t journal_of(Position position) {
  return static_cast<uint16_t>(position.journal());
}

}  // namespace

Result<io::File> open_segment(io::Disk& disk, const std::string& journal_directory,
                              uint16_t journal, uint32_t segment) {
  bool direct = false;
  const auto file = disk.open_journal(segment_path(journal_directory, journal, segment), direct);
  if (!file) return file;
  const BlockBuffer page(page_bytes);
  const auto read = disk.read_at(*file, 0, {page.data(), page_bytes});
  const auto header = read_segment_header({page.data(), page_bytes});
  // One whose header is damaged may have good records: they have checksums of their own.
  const bool reused = header && (header->segment != segment || header->journal != journal);
  if (read && !reused) return file;
  disk.close(*file);
  return read ? not_found : read.error();
}

Reader::Reader(io::Disk& disk, std::string journal_directory, uint64_t directory_id, Access access)
    : disk_(disk),
      journal_directory_(std::move(journal_directory)),
      directory_id_(directory_id),
      access_(access) {}

Reader::~Reader() {
  for (const OpenFile& one : files_) disk_.close(one.file);
}

Result<EventRef> Reader::read_event(Position position) {
  const auto payload = read(RecordType::event, position);
  if (!payload) return payload.error();
  return EventCodec::decode(*payload, position);
}

Result<StoredOutcome> Reader::read_outcome(Position position) {
  auto outcome = read_as_recorded(position);
  if (!outcome || outcome->view.base_offset == 0) return outcome;
  const Position base_position =
      Position::make(journal_of(position), position.segment(), outcome->view.base_offset);
  if (base_position >= position) return corrupt;
  const auto base = read_as_recorded(base_position);
  if (!base) return base.error();
  const bool fits =
      base->view.base_offset == 0 && base->view.webhook_number == outcome->view.webhook_number;
  if (!fits) return corrupt;
  const auto restored = restore_texts(outcome->view, outcome_texts(base->view), outcome->texts);
  if (!restored) return restored.error();
  return outcome;
}

Result<StoredOutcome> Reader::read_as_recorded(Position position) {
  const auto payload = read(RecordType::outcome, position);
  if (!payload) return payload.error();
  StoredOutcome outcome{.record = {payload->begin(), payload->end()}};
  const auto view = decode_outcome(outcome.record);
  if (!view) return view.error();
  outcome.view = *view;
  return outcome;
}

Result<Bytes> Reader::read(RecordType type, Position position) {
  const bool possible =
      position.segment() > 0 && position.offset() >= page_bytes && position.offset() % 8 == 0;
  if (!possible) return not_found;
  if (buffer_.capacity() > kept_bytes_max) buffer_ = BlockBuffer();
  const auto file = file_of(position);
  if (!file) return file.error();
  auto payload = read_from(*file, type, position);
  if (payload || payload.error().code != Errc::corrupt) return payload;

  const auto header = header_of(position);
  if (!header && header.error().code != Errc::corrupt) return header.error();
  const auto again = file_of(position);
  if (!again) return again.error();
  return read_from(*again, type, position);
}

/// The open file may have been given to another segment since: looks again by name.
Result<SegmentHeader> Reader::header_of(Position position) {
  forget(position);
  const auto file = file_of(position);
  if (!file) return file.error();
  const auto page = read_pages(*file, 0, page_bytes);
  if (!page) return page.error();
  const auto header = read_segment_header(*page);
  const bool other =
      header && (header->segment != position.segment() || header->journal != position.journal());
  if (!other) return header;
  forget(position);
  return not_found;
}

Result<WallTime> Reader::created_at(uint16_t journal, uint32_t segment) {
  const auto header = header_of(Position::make(journal, segment, 0));
  if (!header) return header.error();
  return header->created_at;
}

// --- one record after the other ------------------------------------------------------------------

/// Goes from record to record of one segment. Where there is none, the next block is looked for.
class Reader::Walk {
 public:
  /// @param type  of the records that are visited.
  Walk(Reader& reader, io::File file, uint64_t file_bytes, RecordType type, Position from)
      : reader_(reader),
        file_(file),
        type_(type),
        file_bytes_(file_bytes),
        generation_(reader.directory_id_, journal_of(from), from.segment()),
        from_(from),
        at_(std::max(from.offset(), page_bytes)) {}

  uint32_t at() const { return at_; }
  uint64_t bytes_read() const { return bytes_read_; }
  bool at_end() const { return at_ + record_header_bytes > file_bytes_; }

  /// Looks at what begins here, and goes behind it. @returns false if `visit` does.
  Result<bool> step(const VisitPayload& visit) {
    const bool may_be_block = at_ % page_bytes == 0;
    const auto head = bytes_at(at_, may_be_block ? block_header_bytes : record_header_bytes);
    if (!head) return head.error();
    if (may_be_block && peek_block_header(*head, from_.segment())) {
      at_ += block_header_bytes;
      return true;
    }
    const auto header = peek_record_header(*head, segment_bytes_max);
    if (!header || at_ + record_span(header->payload_bytes) > file_bytes_) {
      at_ = round_up(at_ + 1, page_bytes);
      return true;
    }
    const uint32_t begin =
        std::exchange(at_, at_ + static_cast<uint32_t>(record_span(header->payload_bytes)));
    const bool wanted = header->type == static_cast<uint8_t>(type_) && begin > from_.offset();
    return wanted ? visit_record(begin, *header, visit) : true;
  }

 private:
  static constexpr uint32_t window_bytes = 64 * 1024;

  Result<bool> visit_record(uint32_t begin, const RecordHeader& header, const VisitPayload& visit) {
    const auto record = bytes_at(begin, at_ - begin);
    if (!record) return record.error();
    if (!verify_record(header, generation_, begin, *record)) return true;
    return visit(record->subspan(record_header_bytes, header.payload_bytes),
                 Position::make(journal_of(from_), from_.segment(), begin));
  }

  /// Valid until the next call.
  Result<Bytes> bytes_at(uint32_t offset, uint32_t size) {
    const bool held =
        offset >= window_begin_ && offset + uint64_t{size} <= window_begin_ + window_.size();
    if (!held) {
      window_begin_ = offset / page_bytes * page_bytes;
      const auto read = reader_.read_pages(
          file_, window_begin_, std::max<uint64_t>(window_bytes, offset - window_begin_ + size));
      if (!read) return read.error();
      window_ = *read;
      bytes_read_ += window_.size();
      if (offset - window_begin_ + uint64_t{size} > window_.size()) return corrupt;
    }
    return window_.subspan(offset - window_begin_, size);
  }

  Reader& reader_;
  const io::File file_;
  const RecordType type_;
  const uint64_t file_bytes_;
  const Generation generation_;
  const Position from_;
  uint32_t at_;
  Bytes window_;
  uint32_t window_begin_ = 0;
  uint64_t bytes_read_ = 0;
};

Result<Passage> Reader::pass_outcomes(Position from, Position through, uint32_t bytes_max,
                                      const VisitOutcome& visit) {
  return pass(RecordType::outcome, from, through, bytes_max, [&](Bytes payload, Position position) {
    const auto outcome = decode_outcome(payload);
    return !outcome || visit(*outcome, position);
  });
}

Result<Passage> Reader::pass_events(Position from, Position through, uint32_t bytes_max,
                                    const VisitEvent& visit) {
  return pass(RecordType::event, from, through, bytes_max, [&](Bytes payload, Position position) {
    const auto event = EventCodec::decode_view(payload);
    return !event || visit(*event, position);
  });
}

Result<Passage> Reader::pass(RecordType type, Position from, Position through, uint32_t bytes_max,
                             const VisitPayload& visit) {
  if (from.segment() == 0 || from.offset() % 8 != 0) return not_found;
  const auto file = file_of(from);
  if (!file) return file.error();
  const auto size = disk_.size(*file);
  if (!size) return size.error();
  Walk walk(*this, *file, *size, type, from);
  Passage passage{.reached = from};
  bool goes_on = true;
  while (goes_on) {
    const auto here = Position::make(journal_of(from), from.segment(), walk.at());
    passage.at_end = here > through || walk.at_end();
    if (passage.at_end) break;
    const auto stepped = walk.step(visit);
    if (!stepped) return stepped.error();
    passage.reached = here;
    goes_on = *stepped && (walk.bytes_read() < bytes_max || here == from);
  }
  return passage;
}

Result<Bytes> Reader::read_from(io::File file, RecordType type, Position position) {
  const uint32_t base = position.offset() / page_bytes * page_bytes;
  const uint32_t at = position.offset() - base;
  auto bytes = read_pages(file, base, first_read_bytes);
  if (!bytes) return bytes.error();
  if (bytes->size() < at + record_header_bytes) return corrupt;
  const auto header = peek_record_header(bytes->subspan(at), segment_bytes_max);
  if (!header || header->type != static_cast<uint8_t>(type)) return corrupt;
  const uint64_t span = record_span(header->payload_bytes);
  if (at + span > bytes->size()) {
    bytes = read_pages(file, base, at + span);
    if (!bytes) return bytes.error();
    if (at + span > bytes->size()) return corrupt;
  }
  const Generation generation(directory_id_, journal_of(position), position.segment());
  const Bytes record = bytes->subspan(at);
  if (!verify_record(*header, generation, position.offset(), record)) return corrupt;
  return record.subspan(record_header_bytes, header->payload_bytes);
}

Result<Bytes> Reader::read_pages(io::File file, uint32_t offset, uint64_t bytes) {
  // The claim of a header is not believed beyond what the file has.
  const auto size = disk_.size(file);
  if (!size) return size.error();
  if (offset >= *size) return Bytes{};
  const uint64_t there = std::min<uint64_t>(*size - offset, segment_bytes_max);
  const uint32_t wanted = round_up(static_cast<uint32_t>(std::min(bytes, there)), page_bytes);
  if (buffer_.capacity() < wanted) buffer_ = BlockBuffer(std::max(wanted, first_read_bytes));
  const auto read = disk_.read_at(file, offset, {buffer_.data(), wanted});
  if (!read) return read.error();
  return Bytes{buffer_.data(), static_cast<size_t>(*read)};
}

Result<io::File> Reader::file_of(Position position) {
  const auto found = std::find_if(files_.begin(), files_.end(), [&](const OpenFile& one) {
    return one.journal == position.journal() && one.segment == position.segment();
  });
  if (found != files_.end()) {
    std::rotate(found, found + 1, files_.end());
    return files_.back().file;
  }
  const auto file = open(position);
  if (!file) return file.error();
  if (files_.size() == files_max) {
    disk_.close(files_.front().file);
    files_.erase(files_.begin());
  }
  files_.push_back({journal_of(position), position.segment(), *file});
  return *file;
}

Result<io::File> Reader::open(Position position) {
  const auto path = segment_path(journal_directory_, journal_of(position), position.segment());
  if (access_ == Access::read_only) return disk_.open(path, io::Disk::OpenMode::read);
  bool direct = false;
  return disk_.open_journal(path, direct);
}

void Reader::forget(Position position) {
  std::erase_if(files_, [&](const OpenFile& one) {
    const bool same = one.journal == position.journal() && one.segment == position.segment();
    if (same) disk_.close(one.file);
    return same;
  });
}

}  // namespace ringpost::journal
