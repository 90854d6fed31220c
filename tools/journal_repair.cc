#include "journal_repair.h"

#include "io/posix_disk.h"
#include "journal/journal_mark.h"
#include "journal/repair.h"
#include "journal/writer.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace ringpost::tools {
namespace {

using journal::ByteRange;
using journal::Position;
using journal::PreviousEnd;
using journal::SegmentFooter;
using journal::SegmentHeader;

constexpr size_t lines_max = 50;

std::string place_of(Position position) {
  return journal::journal_name(static_cast<uint16_t>(position.journal())) + '/' +
         std::to_string(position.segment()) + '/' + std::to_string(position.offset());
}

/// A file that is open for reading as long as this object lives.
class OpenFile {
 public:
  OpenFile(io::Disk& disk, const std::string& path)
      : disk_(disk), file_(disk.open(path, io::Disk::OpenMode::read)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (file_) disk_.close(*file_);
  }
  const Result<io::File>& get() const { return file_; }

 private:
  io::Disk& disk_;
  const Result<io::File> file_;
};

/// What the first and the last page of a segment's file say.
struct Ends {
  uint64_t file_bytes = 0;
  Result<SegmentHeader> header = Error{Errc::corrupt, Side::disk};
  uint32_t size = 0;  ///< Of the segment, or at least what the file has.
  std::optional<SegmentFooter> footer;
};

/// The records that are kept.
class Kept final : public journal::RecordSink {
 public:
  Result<void> on_record(const journal::ScannedRecord& record) override {
    if (record.header.type == static_cast<uint8_t>(journal::RecordType::event)) {
      events.insert(record.offset);
    } else if (record.header.type == static_cast<uint8_t>(journal::RecordType::outcome)) {
      outcomes.insert(record.offset);
      const auto outcome = journal::decode_outcome(record.payload);
      if (outcome && outcome->base_offset != 0 && !outcomes.contains(outcome->base_offset)) {
        ++without_texts;
      }
    }
    return {};
  }

  std::set<uint32_t> events;
  std::set<uint32_t> outcomes;
  uint64_t without_texts = 0;  ///< Outcomes that are changes to a lost one.
};

/// Deliveries of events that were in a segment and are not kept, as outcomes tell of them.
class Orphans final : public journal::RecoveryVisitor {
 public:
  Orphans(uint16_t journal, uint32_t segment, const std::set<uint32_t>& kept)
      : journal_(journal), segment_(segment), kept_(kept) {}

  void on_event(Position, const journal::EventView&, Bytes) override {}
  void on_outcome(Position, const journal::OutcomeView& outcome) override {
    const Position event = outcome.event;
    const bool here = event.journal() == journal_ && event.segment() == segment_;
    if (!here || kept_.contains(event.offset())) return;
    Delivery& delivery = deliveries[{event.offset(), outcome.webhook_number}];
    delivery.id = outcome.delivery;
    if (!journal::is_end(delivery.status)) delivery.status = outcome.status;
  }
  void on_finding(const journal::Finding&) override {}

  struct Delivery {
    Ulid id;
    journal::DeliveryStatus status{};
  };
  std::map<std::pair<uint32_t, uint32_t>, Delivery> deliveries;  ///< By event and webhook.

 private:
  const uint16_t journal_;
  const uint32_t segment_;
  const std::set<uint32_t>& kept_;
};

class Repairing {
 public:
  Repairing(const RepairOrder& order, std::string& problem)
      : order_(order),
        problem_(problem),
        directory_(journal::journal_path(order.data_directory + "/journal", order.journal)),
        path_(directory_ + '/' + journal::segment_name(order.segment)),
        generation_(order.directory_id, order.journal, order.segment) {}
  Repairing(const Repairing&) = delete;
  Repairing& operator=(const Repairing&) = delete;
  ~Repairing() {
    if (lock_.valid()) disk_.close(lock_);
  }

  Repair run() {
    if (!take_lock()) return Repair::failed;
    auto repaired = make();
    if (!repaired) return Repair::failed;
    if (repaired->was_sound) {
      std::printf("%s is sound: there is nothing to repair, and no file was written.\n",
                  path_.c_str());
      return Repair::not_needed;
    }
    if (!write(repaired->file)) return Repair::failed;
    tell(*repaired);
    return Repair::done;
  }

 private:
  bool fail(const std::string& problem) {
    problem_ = problem;
    return false;
  }

  /// A relay must not find files in its directory that come and go.
  bool take_lock() {
    const auto inside = [&](const std::filesystem::path& path) {
      const auto base = std::filesystem::weakly_canonical(order_.data_directory);
      const auto [end, _] = std::ranges::mismatch(base, std::filesystem::weakly_canonical(path));
      return end == base.end();
    };
    if (!inside(order_.output)) return true;
    const auto lock = disk_.lock(order_.data_directory + "/lock");
    if (!lock && lock.error().code == Errc::locked) {
      return fail("a relay runs on " + order_.data_directory +
                  ": stop it, or write the file elsewhere (--output)");
    }
    if (!lock) return fail(order_.data_directory + "/lock: " + describe(lock.error()));
    lock_ = *lock;
    return true;
  }

  Result<Ends> read_ends(uint32_t segment) {
    const OpenFile file(disk_, directory_ + '/' + journal::segment_name(segment));
    if (!file.get()) return file.get().error();
    const auto bytes = disk_.size(*file.get());
    if (!bytes) return bytes.error();
    Ends ends{.file_bytes = *bytes};
    std::vector<std::byte> page(journal::page_bytes);
    const auto first = disk_.read_at(*file.get(), 0, page);
    if (!first) return first.error();
    ends.header = journal::read_segment_header(Bytes{page}.first(static_cast<size_t>(*first)));
    ends.size = ends.header ? ends.header->size : size_of(*bytes);
    if (*bytes < ends.size) return ends;
    const uint32_t footer_at = ends.size - journal::page_bytes;
    const auto last = disk_.read_at(*file.get(), footer_at, page);
    if (!last) return last.error();
    ends.footer =
        journal::read_segment_footer({order_.directory_id, order_.journal, segment}, footer_at,
                                     Bytes{page}.first(static_cast<size_t>(*last)));
    return ends;
  }
  /// Of a segment without a header: all of its file.
  static uint32_t size_of(uint64_t file_bytes) {
    const uint64_t bytes =
        std::clamp<uint64_t>(file_bytes, journal::segment_bytes_min, journal::segment_bytes_max);
    return journal::round_up(static_cast<uint32_t>(bytes), journal::page_bytes);
  }

  std::vector<uint32_t> segments() {
    std::vector<uint32_t> numbers;
    const auto names = disk_.list(directory_);
    if (!names) return numbers;
    for (const std::string& name : *names) {
      if (const auto number = journal::parse_segment_name(name)) numbers.push_back(*number);
    }
    std::ranges::sort(numbers);
    return numbers;
  }

  bool is_readable(const Ends& ends) {
    if (!ends.header && ends.header.error().code == Errc::unsupported) {
      return fail(path_ + " was written by a newer ringpost: use its ringpost-journal");
    }
    if (!ends.header) return true;
    const SegmentHeader& header = *ends.header;
    if (header.directory_id == order_.directory_id && header.journal == order_.journal &&
        header.segment == order_.segment) {
      return true;
    }
    return fail(path_ + " is segment " + std::to_string(header.segment) + " of journal " +
                std::to_string(header.journal) +
                ", perhaps of another data directory, under another name: rename it back");
  }

  /// The header, if it was not as it should be: the file before this one says how that ended.
  SegmentHeader new_header(uint32_t size) {
    SegmentHeader header{.journal = order_.journal,
                         .segment = order_.segment,
                         .size = size,
                         .directory_id = order_.directory_id};
    for (const uint32_t number : segments()) {
      if (number < order_.segment) header.previous = number;
    }
    if (header.previous == 0) return header;
    const auto before = read_ends(header.previous);
    if (!before || before->footer) return header;
    const OpenFile file(disk_, directory_ + '/' + journal::segment_name(header.previous));
    if (!file.get()) return header;
    journal::FileInput input(disk_, *file.get());
    Kept ignored;
    const auto scan =
        journal::scan_segment(input,
                              {.generation = {order_.directory_id, order_.journal, header.previous},
                               .file_bytes = before->file_bytes,
                               .size = before->size},
                              ignored);
    if (!scan) return header;
    header.previous_kind = scan->torn_at ? PreviousEnd::torn : PreviousEnd::clean;
    header.previous_end = scan->end;
    return header;
  }

  /// What the segments behind it, and the note beside it, say of its end.
  /// @returns whether it was full.
  bool find_end(journal::ScanRequest& request) {
    for (const uint32_t number : segments()) {
      if (number <= order_.segment) continue;
      const auto later = read_ends(number);
      if (!later || !later->header || later->header->previous != order_.segment) continue;
      if (later->header->previous_kind == PreviousEnd::sealed) return true;
      request.end_kind = later->header->previous_kind;
      request.known_end = later->header->previous_end;
    }
    const auto written = journal::read_written(disk_, directory_, order_.journal, false);
    if (written && *written && (*written)->segment == order_.segment) request.written = **written;
    return false;
  }

  std::optional<journal::RepairedSegment> make() {
    const auto ends = read_ends(order_.segment);
    if (!ends) {
      fail(path_ + ": " + describe(ends.error()));
      return std::nullopt;
    }
    if (!is_readable(*ends)) return std::nullopt;
    // Without a header and a footer nobody knows whether the last page held records.
    const bool bare = !ends->header && !ends->footer;
    const uint32_t room = bare && ends->size < journal::segment_bytes_max ? journal::page_bytes : 0;
    journal::ScanRequest request{.generation = generation_,
                                 .file_bytes = ends->file_bytes,
                                 .size = ends->size + room,
                                 .footer = ends->footer};
    const bool was_full = find_end(request);
    const SegmentHeader header = ends->header ? *ends->header : new_header(request.size);
    const OpenFile file(disk_, path_);
    if (!file.get()) {
      fail(path_ + ": " + describe(file.get().error()));
      return std::nullopt;
    }
    journal::FileInput input(disk_, *file.get());
    const bool is_whole = ends->header && (ends->footer || !was_full);
    auto repaired = journal::repair_segment(input, request, header, is_whole, kept_);
    if (!repaired) {
      fail(path_ + ": " + describe(repaired.error()));
      return std::nullopt;
    }
    return std::move(*repaired);
  }

  bool write(Bytes bytes) {
    const auto file = disk_.open(order_.output, io::Disk::OpenMode::create);
    if (!file && file.error().code == Errc::conflict) {
      return fail(order_.output + " is there already: give the name of a new file");
    }
    if (!file) return fail(order_.output + ": " + describe(file.error()));
    auto written = disk_.write_at(*file, 0, bytes);
    if (written) written = disk_.sync(*file);
    disk_.close(*file);
    const auto parent = std::filesystem::path(order_.output).parent_path();
    if (written) written = disk_.sync_directory(parent.empty() ? "." : parent.string());
    if (written) return true;
    static_cast<void>(disk_.remove(order_.output));
    return fail(order_.output + ": " + describe(written.error()));
  }

  // --- the report --------------------------------------------------------------------------------

  void tell(const journal::RepairedSegment& repaired) {
    const auto wide = [](uint64_t number) { return static_cast<unsigned long long>(number); };
    const bool end_is_unknown = repaired.found.lost_end || repaired.found.torn_at;
    std::printf("%s: kept %u records, of them %llu events and %llu outcomes; %s%llu are lost\n",
                path_.c_str(), repaired.records_kept, wide(kept_.events.size()),
                wide(kept_.outcomes.size()),
                end_is_unknown ? "nobody knows how many, at least " : "",
                wide(repaired.found.records_lost));
    std::vector<std::string> lines;
    for (const ByteRange& range : repaired.found.damaged) lines.push_back(line("damaged", range));
    if (const auto& range = repaired.found.lost_end) lines.push_back(line("gone", *range));
    if (const auto& at = repaired.found.torn_at) {
      lines.push_back("unfinished or damaged: the end, from offset " + std::to_string(*at) + " on");
    }
    print(lines);
    tell_orphans();
    if (kept_.without_texts > 0) {
      std::printf(
          "%llu kept outcomes have no request and answer any more, which were recorded as "
          "changes to a lost one\n",
          wide(kept_.without_texts));
    }
    std::printf(
        "Written: %s\n"
        "%s was not changed. To use the new file: stop the relay, move the damaged one away, put "
        "this one in its place with the same owner, remove %s beside it, and start the relay. It "
        "will take the file for whole: only this report says what is lost, so keep it.\n",
        order_.output.c_str(), path_.c_str(), journal::index_name(order_.segment).c_str());
  }

  static std::string line(const char* what, const ByteRange& range) {
    return std::string(what) + ": " + std::to_string(range.end - range.begin) +
           " bytes at offset " + std::to_string(range.begin);
  }

  void tell_orphans() {
    Orphans orphans(order_.journal, order_.segment, kept_.events);
    order_.read_journals(orphans);
    if (orphans.deliveries.empty()) return;
    std::printf("%zu deliveries are known whose event is lost:\n", orphans.deliveries.size());
    std::vector<std::string> lines;
    for (const auto& [key, delivery] : orphans.deliveries) {
      const auto& [offset, webhook] = key;
      lines.push_back(delivery.id.to_text() + ", webhook " + std::to_string(webhook) +
                      ", event at " +
                      place_of(Position::make(order_.journal, order_.segment, offset)) + ": " +
                      std::string(journal::name(delivery.status)));
    }
    print(lines);
  }

  static void print(const std::vector<std::string>& lines) {
    for (size_t index = 0; index < std::min(lines.size(), lines_max); ++index) {
      std::printf("  %s\n", lines[index].c_str());
    }
    if (lines.size() > lines_max) std::printf("  … and %zu more\n", lines.size() - lines_max);
  }

  const RepairOrder& order_;
  std::string& problem_;
  const std::string directory_;
  const std::string path_;
  const journal::Generation generation_;
  io::PosixDisk disk_;
  io::File lock_;
  Kept kept_;
};

}  // namespace

Repair repair(const RepairOrder& order, std::string& problem) {
  return Repairing(order, problem).run();
}

}  // namespace ringpost::tools
