#include "journal/recovery.h"

#include "journal/journal_mark.h"
#include "journal/segment_scan.h"
#include "journal/writer.h"

#include <algorithm>
#include <array>
#include <optional>

namespace ringpost::journal {

std::string_view name(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::torn_tail: return "torn_tail";
    case Finding::Kind::damage: return "damage";
    case Finding::Kind::missing: return "missing";
    case Finding::Kind::refused: return "refused";
    case Finding::Kind::note: return "note";
  }
  RINGPOST_UNREACHABLE();
}

std::string describe(const Finding& finding) {
  // The text of a torn tail tells the offset itself.
  if (finding.bytes == 0 || finding.kind == Finding::Kind::torn_tail) {
    return finding.path + ": " + finding.text;
  }
  return finding.path + ": " + std::to_string(finding.bytes) + " bytes at offset " +
         std::to_string(finding.offset) + ": " + finding.text;
}

namespace {

/// What to do about a loss; or what was done about it.
std::string advice(const RecoveryOptions& options) {
  if (options.accept_loss && !options.read_only) {
    return "; journal.accept_loss is on: the relay goes on without it";
  }
  return "; put it back from a copy, or start with journal.accept_loss = true to go on without it";
}

constexpr uint32_t numbers_skipped = 1000;

/// A segment file as its first and last page describe it.
struct SegmentFile {
  uint32_t number = 0;
  uint64_t file_bytes = 0;
  std::optional<SegmentHeader> header;  // Nothing if it is damaged.
  std::optional<SegmentFooter> footer;
  SegmentFooter unproven_footer;  // What the last page says without a checksum; zeros if cut off.

  uint32_t size() const {
    if (header) return header->size;
    const uint64_t bytes = std::clamp<uint64_t>(file_bytes, segment_bytes_min, segment_bytes_max);
    return static_cast<uint32_t>(bytes) / page_bytes * page_bytes;
  }
};

/// For each journal the highest segment that an outcome names, in whatever journal that lies.
using NumbersUsed = std::array<uint32_t, Position::journals_max>;

// open_directory ─> read_headers ─> for each segment: scan, link ─> finish

/// Reads one journal.
class JournalRecovery final : public RecordSink {
 public:
  JournalRecovery(io::Disk& disk, const std::string& journal_directory, uint16_t journal,
                  const RecoveryOptions& options, const BegunJournal* begun,
                  RecoveryVisitor& visitor, RecoveryReport& report, NumbersUsed& numbers_used)
      : disk_(disk),
        directory_(journal_path(journal_directory, journal)),
        journal_(journal),
        options_(options),
        begun_(begun),
        visitor_(visitor),
        report_(report),
        numbers_used_(numbers_used),
        input_(disk, {}) {
    end_.journal = journal;
  }

  Result<void> run();
  const JournalEnd& end() const { return end_; }
  uint64_t bytes_read() const { return input_.bytes_read(); }

  Result<void> on_record(const ScannedRecord& record) override;

 private:
  void note_use(Position event);
  Result<void> list_directory();
  Result<void> read_mark();
  Result<void> read_headers();
  Result<void> read_pages(SegmentFile& segment);
  Result<void> check_header(const SegmentFile& segment, const Result<SegmentHeader>& header);
  Result<void> scan(const SegmentFile& segment);
  Result<SegmentScan> scan_file(const SegmentFile& segment);
  Result<void> link(const SegmentFile& segment, const SegmentScan& scan);
  Result<void> lost_footer();
  Result<void> missing_before(const SegmentFile& segment);
  std::string torn_text() const;
  Result<void> note_rest();
  Result<uint64_t> bytes_in_use(uint32_t begin, uint32_t end);
  Result<void> check_unused_tail();
  Result<void> check_successor();
  Result<void> finish();
  Result<io::File> open(const std::string& path);

  std::string path(uint32_t segment) const { return directory_ + '/' + segment_name(segment); }
  const SegmentHeader* named_end_of(uint32_t segment) const;
  const SegmentFile* segment_at_most(uint32_t number) const;
  bool handed_out(uint32_t number) const { return !newest_ || number <= *newest_; }
  bool was_written(uint32_t number) const { return number == written_.segment; }
  void find(Finding::Kind kind, std::string path, uint64_t offset, uint64_t bytes,
            std::string text);
  void find_damage(uint32_t segment, const ByteRange& range);
  Result<void> lost(uint32_t segment, const std::string& what);
  Result<void> lost_contents(const SegmentFile& segment);
  Result<void> lost_end(uint32_t segment, const ByteRange& range);

  io::Disk& disk_;
  const std::string directory_;
  const uint16_t journal_;
  const RecoveryOptions& options_;
  const BegunJournal* const begun_;  // Null: nothing is known of it.
  RecoveryVisitor& visitor_;
  RecoveryReport& report_;
  NumbersUsed& numbers_used_;
  FileInput input_;

  JournalEnd end_;
  bool mark_lost_ = false;
  bool oldest_known_ = false;
  std::optional<uint32_t> newest_;  // The last segment that was handed out, if the mark tells.
  bool written_known_ = false;      // Whether the file `written` says something.
  Written written_;                 // How far it is known to have been durable.
  std::vector<uint32_t> unfinished_;
  std::vector<SegmentFile> segments_;

  uint32_t scanning_ = 0;                 // The segment that on_record hears of.
  std::optional<SegmentFile> last_used_;  // The last one with contents so far.
  SegmentScan last_scan_;                 // And what was found in it.
  std::optional<uint32_t> torn_at_;       // Its unfinished end, if nobody has named it yet.
};

void JournalRecovery::find(Finding::Kind kind, std::string path, uint64_t offset, uint64_t bytes,
                           std::string text) {
  if (kind == Finding::Kind::damage) ++report_.damages;
  if (kind == Finding::Kind::torn_tail) ++report_.torn_tails;
  visitor_.on_finding({kind, std::move(path), offset, bytes, std::move(text)});
}

void JournalRecovery::find_damage(uint32_t segment, const ByteRange& range) {
  find(Finding::Kind::damage, path(segment), range.begin, range.end - range.begin,
       "stored bytes do not match their checksum; all other records are used, and the file was not "
       "changed");
}

/// Something of the structure is not there: the end, unless the operator accepts it.
Result<void> JournalRecovery::lost(uint32_t segment, const std::string& what) {
  if (std::find(end_.accepted.begin(), end_.accepted.end(), segment) != end_.accepted.end()) {
    return {};
  }
  find(Finding::Kind::missing, path(segment), 0, 0, what + advice(options_));
  if (options_.accept_loss) {
    end_.accepted.push_back(segment);
    return {};
  }
  return Error{Errc::not_found, Side::disk};
}

Result<io::File> JournalRecovery::open(const std::string& path) {
  if (options_.read_only) return disk_.open(path, io::Disk::OpenMode::read);
  bool direct = false;
  return disk_.open_journal(path, direct);
}

Result<void> JournalRecovery::run() {
  if (auto listed = list_directory(); !listed) return listed;
  if (auto read = read_headers(); !read) return read;
  for (const SegmentFile& segment : segments_) {
    if (auto scanned = scan(segment); !scanned) return scanned;
  }
  return finish();
}

Result<void> JournalRecovery::list_directory() {
  if (!options_.read_only) {
    if (auto synced = disk_.sync_directory(directory_); !synced) return synced;
  }
  const auto names = disk_.list(directory_);
  if (!names) return names.error();
  if (auto read = read_mark(); !read) return read;
  const auto written = read_written(disk_, directory_, journal_, !options_.read_only);
  if (!written) return written.error();
  written_known_ = written->has_value();
  written_ = written->value_or(Written{});
  for (const std::string& entry : *names) {
    if (const auto number = parse_segment_name(entry)) {
      end_.next_segment = std::max(end_.next_segment, *number + 1);
      if (*number >= end_.oldest) segments_.push_back({.number = *number});
    } else if (const auto unfinished = parse_unfinished_name(entry)) {
      unfinished_.push_back(*unfinished);
    } else if (!entry.starts_with(journal_mark_name) && entry != written_name &&
               !parse_index_name(entry)) {
      find(Finding::Kind::note, directory_ + '/' + entry, 0, 0,
           "not a file of ringpost's; ignored");
    }
  }
  end_.next_segment = std::max({end_.next_segment, end_.oldest, newest_.value_or(0) + 1,
                                begun_ != nullptr ? begun_->used + 1 : 1});
  std::sort(segments_.begin(), segments_.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.number < b.number; });
  if (mark_lost_ && !segments_.empty()) {
    find(Finding::Kind::note, directory_ + '/' + journal_mark_name, 0, 0,
         begun_ != nullptr
             ? "absent or unreadable; the control store says which segment is the oldest"
             : "absent or unreadable; the first segment found is treated as the oldest");
  }
  return {};
}

/// Which segments there must be: as the mark says, or as is known from elsewhere.
Result<void> JournalRecovery::read_mark() {
  const auto mark = read_journal_mark(disk_, directory_, journal_);
  if (!mark) return mark.error();
  oldest_known_ = mark->has_value() || begun_ != nullptr;
  if (*mark) {
    end_.oldest = (*mark)->oldest;
    end_.accepted = (*mark)->accepted;
    newest_ = (*mark)->newest;
    return {};
  }
  mark_lost_ = true;
  if (begun_ != nullptr) end_.oldest = begun_->oldest;
  return {};
}

Result<void> JournalRecovery::read_headers() {
  for (SegmentFile& segment : segments_) {
    if (auto read = read_pages(segment); !read) {
      if (read.error().code == Errc::io_failed) {
        find(Finding::Kind::refused, path(segment.number), 0, 0,
             "cannot be read: " + describe(read.error()));
      }
      return read;
    }
  }
  return {};
}

Result<void> JournalRecovery::read_pages(SegmentFile& segment) {
  const auto file = open(path(segment.number));
  if (!file) return file.error();
  input_.reset(*file);
  struct Closer {
    io::Disk& disk;
    io::File file;
    ~Closer() { disk.close(file); }
  } closer{disk_, *file};

  if (!options_.read_only) {  // What was read before a sync may never have reached the disk.
    if (auto synced = disk_.sync(*file); !synced) return synced;
  }
  const auto bytes = disk_.size(*file);
  if (!bytes) return bytes.error();
  segment.file_bytes = *bytes;
  BlockBuffer page(page_bytes);
  const MutableBytes into{page.data(), page_bytes};
  const auto first = disk_.read_at(*file, 0, into);
  if (!first) return first.error();
  const auto header = read_segment_header(into.first(static_cast<size_t>(*first)));
  if (auto checked = check_header(segment, header); !checked) return checked;
  if (header) segment.header = *header;

  const uint32_t footer_at = segment.size() - page_bytes;
  if (segment.file_bytes < segment.size()) return {};
  const auto last = disk_.read_at(*file, footer_at, into);
  if (!last) return last.error();
  if (*last == page_bytes) segment.unproven_footer = peek_segment_footer(into);
  segment.footer = read_segment_footer({options_.directory_id, journal_, segment.number}, footer_at,
                                       into.first(static_cast<size_t>(*last)));
  return {};
}

/// A header that is whole and says something else than the file's place is not damage.
Result<void> JournalRecovery::check_header(const SegmentFile& segment,
                                           const Result<SegmentHeader>& header) {
  const std::string file = path(segment.number);
  if (!header) {
    if (header.error().code != Errc::unsupported) return {};
    find(Finding::Kind::refused, file, 0, 0,
         "written by a newer ringpost (format " + std::to_string(header.error().detail) +
             "; this one reads up to " + std::to_string(format_version) +
             "); nothing was changed: start the newer version again");
    return header.error();
  }
  if (header->directory_id != options_.directory_id) {
    find(Finding::Kind::refused, file, 0, 0,
         "belongs to another data directory; move it out of this one");
    return Error{Errc::conflict, Side::disk};
  }
  if (header->segment != segment.number || header->journal != journal_) {
    find(Finding::Kind::refused, file, 0, 0,
         "is segment " + std::to_string(header->segment) + " of journal " +
             std::to_string(header->journal) +
             " under another name; rename it back, or move the "
             "copy out of the directory");
    return Error{Errc::conflict, Side::disk};
  }
  return {};
}

/// The header that says where `segment` ended, if a later start has found out.
const SegmentHeader* JournalRecovery::named_end_of(uint32_t segment) const {
  for (const SegmentFile& later : segments_) {
    if (!later.header || later.header->previous != segment) continue;
    if (later.header->previous_kind != PreviousEnd::sealed) return &*later.header;
  }
  return nullptr;
}

Result<SegmentScan> JournalRecovery::scan_file(const SegmentFile& segment) {
  const auto file = open(path(segment.number));
  if (!file) return file.error();
  input_.reset(*file);
  scanning_ = segment.number;
  ScanRequest request{.generation = {options_.directory_id, journal_, segment.number},
                      .file_bytes = segment.file_bytes,
                      .size = segment.size(),
                      .footer = segment.footer};
  if (const SegmentHeader* later = named_end_of(segment.number)) {
    request.end_kind = later->previous_kind;
    request.known_end = later->previous_end;
  }
  if (was_written(segment.number)) request.written = written_;
  auto scan = scan_segment(input_, request, *this);
  disk_.close(*file);
  return scan;
}

Result<void> JournalRecovery::scan(const SegmentFile& segment) {
  const auto scan = scan_file(segment);
  if (!scan) {
    if (scan.error().code == Errc::io_failed) {
      find(Finding::Kind::refused, path(segment.number), 0, 0,
           "cannot be read: " + describe(scan.error()));
    }
    return scan.error();
  }
  ++report_.segments;
  if (segment.file_bytes > segment.size()) {
    find(Finding::Kind::note, path(segment.number), segment.size(),
         segment.file_bytes - segment.size(), "after the segment's end; not read");
  }
  report_.records_lost += scan->records_lost;
  for (const ByteRange& range : scan->damaged) find_damage(segment.number, range);
  const bool used = scan->used || segment.footer;
  if (!segment.header) {
    if (!used && handed_out(segment.number)) {
      return lost(segment.number,
                  segment.file_bytes == 0 ? "the segment is empty" : "the segment has no header");
    }
    if (used) find_damage(segment.number, {0, page_bytes});
  }
  if (!used && was_written(segment.number)) return lost_contents(segment);
  if (!used) {
    end_.unused.push_back(segment.number);
    return {};
  }
  if (scan->lost_end) {
    if (auto accepted = lost_end(segment.number, *scan->lost_end); !accepted) return accepted;
  }
  return link(segment, *scan);
}

/// Nothing is left of a segment that was written to.
Result<void> JournalRecovery::lost_contents(const SegmentFile& segment) {
  if (segment.header && segment.header->previous != (last_used_ ? last_used_->number : 0)) {
    if (auto accepted = missing_before(segment); !accepted) return accepted;
  }
  return lost(segment.number, "all that the segment held is gone: its records up to offset " +
                                  std::to_string(written_.end) +
                                  " were durable, and events among them acknowledged");
}

Result<void> JournalRecovery::lost_end(uint32_t segment, const ByteRange& range) {
  return lost(segment, "the end of the segment is gone: its records from offset " +
                           std::to_string(range.begin) + " to " + std::to_string(range.end) +
                           " were durable, and events among them acknowledged");
}

/// Each segment names the one before it: between the two, none is missing.
Result<void> JournalRecovery::link(const SegmentFile& segment, const SegmentScan& scan) {
  if (segment.header) {
    const uint32_t expected = last_used_ ? last_used_->number : 0;
    if (segment.header->previous != expected) {
      if (auto accepted = missing_before(segment); !accepted) return accepted;
    } else if (last_used_ && !last_used_->footer &&
               segment.header->previous_kind == PreviousEnd::sealed) {
      if (auto accepted = lost_footer(); !accepted) return accepted;
    }
  }
  last_used_ = segment;
  last_scan_ = scan;
  torn_at_ = scan.torn_at;
  end_.previous = segment.number;
  end_.previous_end = segment.footer ? 0 : scan.end;
  end_.previous_kind = segment.footer ? PreviousEnd::sealed
                       : scan.torn_at ? PreviousEnd::torn
                                      : PreviousEnd::clean;
  const SegmentHeader* named = named_end_of(segment.number);
  if (named != nullptr && !segment.footer) end_.previous_kind = named->previous_kind;
  return {};
}

/// The next segment was begun when the last one used had its footer. Without it nobody knows where
/// the blocks ended: unless they reach up to it, or its page is damaged and still says that number,
/// or how many blocks and records there are.
Result<void> JournalRecovery::lost_footer() {
  const uint32_t footer_at = last_used_->size() - page_bytes;
  const SegmentFooter& said = last_used_->unproven_footer;
  const bool all_found =
      last_scan_.kept_end == footer_at || said.end == last_scan_.kept_end ||
      (said.blocks == last_scan_.blocks && said.records == last_scan_.records && said.records > 0);
  if (!all_found) {
    return lost(last_used_->number, "the end of the segment is gone: its records from offset " +
                                        std::to_string(last_scan_.kept_end) + " to at most " +
                                        std::to_string(footer_at) +
                                        " were durable, and events among them acknowledged");
  }
  find(Finding::Kind::damage, path(last_used_->number), footer_at, page_bytes,
       "the segment's last page does not match its checksum; no record after the last one found "
       "is missing");
  return {};
}

Result<void> JournalRecovery::missing_before(const SegmentFile& segment) {
  const uint32_t previous = segment.header->previous;
  // Expired ones are gone rightly; without the mark, the first one found has to be believed.
  if (previous < end_.oldest || (!last_used_ && !oldest_known_)) return {};
  if (last_used_ && previous < last_used_->number) {
    find(Finding::Kind::refused, path(last_used_->number), 0, 0,
         "the next segment does not follow this one: one of the two files does not belong here; "
         "move it away");
    return Error{Errc::conflict, Side::disk};
  }
  const SegmentFile* found = segment_at_most(previous);
  const bool is_there = found != nullptr && found->number == previous;
  return lost(previous, std::string(is_there ? "all that the segment held is gone"
                                             : "the segment is missing") +
                            ": segment " + std::to_string(segment.number) + " continues it");
}

Result<void> JournalRecovery::finish() {
  if (torn_at_) {
    const uint64_t bytes =
        last_used_->file_bytes - std::min<uint64_t>(last_used_->file_bytes, *torn_at_);
    find(Finding::Kind::torn_tail, path(last_used_->number), *torn_at_, bytes,
         "tail truncated at offset " + std::to_string(*torn_at_) +
             ": the segment's end is unfinished or damaged; " + torn_text());
  }
  if (!written_known_ && last_used_) {
    find(Finding::Kind::note, directory_ + '/' + written_name, 0, 0,
         "absent or unreadable; without it a start cannot notice that the last records are missing "
         "(after a power loss this can happen, and the relay writes the file anew)");
  }
  if (auto noted = note_rest(); !noted) return noted;
  if (auto checked = check_unused_tail(); !checked) return checked;
  return newest_ ? Result<void>{} : check_successor();
}

/// What is known of an unfinished end.
std::string JournalRecovery::torn_text() const {
  if (was_written(last_used_->number) && *torn_at_ < written_.end) {
    return "up to offset " + std::to_string(written_.end) +
           " it was durable, so events that were acknowledged are lost: put the file back from a "
           "copy if there is one";
  }
  return "a write that was cut short was never acknowledged; damage of the last writes looks the "
         "same";
}

/// Behind the end of a segment that was neither sealed nor torn there are zeros, or what the file
/// held as another segment. Damage of the last block could look like that: so it is put on record.
Result<void> JournalRecovery::note_rest() {
  if (!last_used_ || last_used_->footer || torn_at_) return {};
  const auto file = open(path(last_used_->number));
  if (!file) return file.error();
  input_.reset(*file);
  const auto rest = bytes_in_use(end_.previous_end, last_used_->size());
  disk_.close(*file);
  if (!rest) return rest.error();
  if (*rest > 0) {
    find(Finding::Kind::note, path(last_used_->number), end_.previous_end, *rest,
         "after the segment's end; not read: left over from the file's earlier use, or damage");
  }
  return {};
}

/// @returns how many bytes of [begin, end) there are up to the last page that is not zero.
Result<uint64_t> JournalRecovery::bytes_in_use(uint32_t begin, uint32_t end) {
  const auto is_set = [](std::byte byte) { return byte != std::byte{}; };
  uint64_t used = 0;
  for (uint32_t at = begin; at < end; at += page_bytes) {
    const auto page = input_.at(at, std::min(page_bytes, end - at));
    if (!page) return page.error();
    if (std::ranges::any_of(*page, is_set)) used = at + page->size() - begin;
  }
  return used;
}

/// Segments behind the last one with contents name the one before them, too: from the newest that
/// was handed out back to that one, none is missing.
Result<void> JournalRecovery::check_unused_tail() {
  const uint32_t last_used = last_used_ ? last_used_->number : 0;
  if (last_used == 0 && !oldest_known_) return {};
  // A journal that was begun and has lost its mark had segments, too.
  const uint32_t last_file = !segments_.empty() ? segments_.back().number
                             : mark_lost_       ? end_.oldest
                                                : 0;
  uint32_t number = newest_.value_or(last_file);
  while (number > last_used && number >= end_.oldest) {
    const SegmentFile* segment = segment_at_most(number);
    const uint32_t found = segment != nullptr ? segment->number : 0;
    if (found == number) {
      number = segment->header ? segment->header->previous : number - 1;
      continue;
    }
    const uint32_t before = std::max({found, last_used, end_.oldest - 1});
    auto accepted =
        lost(number, before + 1 == number
                         ? "the segment is missing: it was in use or about to be"
                         : "the segment is missing: it was in use or about to be; those between " +
                               segment_name(before) + " and this one may be missing, too");
    if (!accepted) return accepted;
    number = before;
  }
  return {};
}

const SegmentFile* JournalRecovery::segment_at_most(uint32_t number) const {
  const auto behind = std::ranges::upper_bound(segments_, number, {}, &SegmentFile::number);
  return behind == segments_.begin() ? nullptr : &*std::prev(behind);
}

/// For marks that do not name the newest segment: one is sealed only when the next one is there; it
/// may be on its way to a new number.
Result<void> JournalRecovery::check_successor() {
  if (!last_used_ || !last_used_->footer) return {};
  const uint32_t number = last_used_->number;
  const bool next_exists =
      std::any_of(segments_.begin(), segments_.end(),
                  [&](const SegmentFile& one) { return one.number > number; }) ||
      std::any_of(unfinished_.begin(), unfinished_.end(),
                  [&](uint32_t one) { return one > number; });
  if (next_exists) return {};
  // Its number, and those of others that may be lost with it, must not name other records later.
  end_.next_segment = std::max(end_.next_segment, number + numbers_skipped);
  return lost(number + 1, "the segment is missing: segment " + std::to_string(number) +
                              " is full and was continued");
}

/// The outcome of an event that is lost must not be taken for that of another one.
void JournalRecovery::note_use(Position event) {
  uint32_t& used = numbers_used_[event.journal()];
  used = std::max(used, event.segment());
}

Result<void> JournalRecovery::on_record(const ScannedRecord& record) {
  const auto position = Position::make(journal_, scanning_, record.offset);
  std::optional<Error> error;
  switch (static_cast<RecordType>(record.header.type)) {
    case RecordType::event:
      if (auto event = EventCodec::decode_view(record.payload)) {
        ++report_.events;
        if (event->is_carried()) note_use(event->position(position));
        visitor_.on_event(position, *event, record.payload);
      } else {
        error = event.error();
      }
      break;
    case RecordType::outcome:
      if (auto outcome = decode_outcome(record.payload)) {
        ++report_.outcomes;
        note_use(outcome->event);
        visitor_.on_outcome(position, *outcome);
      } else {
        error = outcome.error();
      }
      break;
    default:
      if (!record.header.optional())
        error = Error{Errc::unsupported, Side::disk, record.header.type};
      ++report_.records_skipped;
      break;
  }
  if (!error) return {};
  const bool newer = error->code == Errc::unsupported;
  find(newer ? Finding::Kind::refused : Finding::Kind::damage, path(scanning_), record.offset,
       record_span(record.payload.size()),
       newer ? "a record that only a newer ringpost understands (type " +
                   std::to_string(record.header.type) +
                   "); nothing was changed: start the newer version again"
             : "the record's checksum is correct, but its contents are invalid");
  if (newer) return *error;
  return {};
}

const BegunJournal* begun_journal(const RecoveryOptions& options, uint16_t journal) {
  const auto found = std::ranges::find(options.begun, journal, &BegunJournal::journal);
  return found == options.begun.end() ? nullptr : &*found;
}

/// Every journal that was begun must have been found.
Result<void> check_journals(const std::string& journal_directory, const RecoveryOptions& options,
                            RecoveryVisitor& visitor, RecoveryReport& report) {
  for (const BegunJournal& begun : options.begun) {
    const auto found = std::ranges::find(report.journals, begun.journal, &JournalEnd::journal);
    if (found != report.journals.end()) continue;
    visitor.on_finding({Finding::Kind::missing, journal_path(journal_directory, begun.journal), 0,
                        0,
                        "the folder of a journal in use is missing, and with it the events that it "
                        "held" +
                            advice(options)});
    if (!options.accept_loss) return Error{Errc::not_found, Side::disk};
    report.journals.push_back({.journal = begun.journal, .next_segment = begun.used + 1});
  }
  return {};
}

}  // namespace

Result<RecoveryReport> recover(io::Disk& disk, const std::string& journal_directory,
                               const RecoveryOptions& options, RecoveryVisitor& visitor) {
  RecoveryReport report;
  NumbersUsed numbers_used{};
  const auto names = disk.list(journal_directory);
  if (!names) {
    if (names.error().code != Errc::not_found) return names.error();
    if (auto checked = check_journals(journal_directory, options, visitor, report); !checked) {
      return checked.error();
    }
    return report;
  }
  if (!options.read_only) {
    if (auto synced = disk.sync_directory(journal_directory); !synced) return synced.error();
  }
  for (const std::string& entry : *names) {
    const auto journal = parse_journal_name(entry);
    if (!journal) {
      visitor.on_finding({Finding::Kind::note, journal_directory + '/' + entry, 0, 0,
                          "not a journal of ringpost's; ignored"});
      continue;
    }
    JournalRecovery recovery(disk, journal_directory, *journal, options,
                             begun_journal(options, *journal), visitor, report, numbers_used);
    if (auto done = recovery.run(); !done) return done.error();
    report.journals.push_back(recovery.end());
    report.bytes_read += recovery.bytes_read();
  }
  if (auto checked = check_journals(journal_directory, options, visitor, report); !checked) {
    return checked.error();
  }
  for (JournalEnd& end : report.journals) {
    end.next_segment = std::max(end.next_segment, numbers_used[end.journal] + 1);
  }
  return report;
}

}  // namespace ringpost::journal
