#pragma once

#include "index/file_image.h"
#include "index/part.h"
#include "index/rows.h"
#include "io/disk.h"

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace ringpost::index {

class FilePart;

/// The few index files that are open at once: those asked last. Each has 10 to 50 KiB in memory.
class OpenFiles {
 public:
  static constexpr size_t files_max = 32;

  explicit OpenFiles(io::Disk& disk) : disk_(disk) {}
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;

  io::Disk& disk() { return disk_; }
  /// Pages read so far: what bounds the work of a question.
  uint64_t pages_read() const { return pages_read_; }
  uint64_t memory_bytes() const;
  void count_pages(uint64_t count) { pages_read_ += count; }
  size_t open_count() const { return files_.size(); }
  /// As if none had been asked yet.
  void close_all();

 private:
  friend class FilePart;

  void opened(const FilePart& part);
  void used(const FilePart& part);
  void closed(const FilePart& part);

  io::Disk& disk_;
  std::list<const FilePart*> files_;  // The one asked last at the front.
  uint64_t pages_read_ = 0;
};

/// The part of a segment that has an index file. Of the file, only what tells whether to ask it is
/// in memory. Every page is checked when it is read, and every number in it before it is used.
class FilePart final : public Part {
 public:
  /// Reads the header and the filters. @param files  outlives the part.
  /// Errors: as Part; Errc::not_found if there is no such file.
  static Result<std::unique_ptr<FilePart>> open(OpenFiles& files,
                                                const std::string& journal_directory,
                                                uint64_t directory_id, uint16_t journal,
                                                uint32_t segment, bool of_earlier_run);
  ~FilePart() override;

  bool has_events() const override { return event_count() > 0; }
  uint64_t event_count() const override { return header_.extent(Section::events).rows; }
  Ulid oldest() const override { return header_.oldest; }
  Ulid newest() const override { return header_.newest; }
  uint64_t delivery_count() const override { return header_.extent(Section::deliveries).rows; }
  uint32_t open_count() const override { return header_.open; }
  uint64_t memory_bytes() const override { return sizeof *this + filters_.memory_bytes(); }

  HourRange hours() const override { return header_.hours; }

  bool may_have_webhook(uint32_t webhook_number) const override;
  bool may_have_id(uint32_t id_hash) const override;
  bool may_have_outcomes_of_segment(Position event) const override;
  bool may_have_outcomes(const DeliveryKey& delivery) const override;

  Result<std::unique_ptr<Walk>> walk(uint32_t webhook_number, const Ulid& before,
                                     StatusSet statuses) const override;
  Result<std::unique_ptr<EventWalk>> walk_events(const Ulid& before) const override;
  Result<std::optional<MatchedEvent>> event(const Ulid& uid) const override;
  Result<std::vector<MatchedEvent>> events_at(uint64_t time_ms) const override;
  Result<void> events_of_id(uint32_t id_hash, std::vector<EventFacts>& found) const override;
  /// Appends the hashes of the ids of all events, from one to another, rising.
  Result<void> id_hashes(uint32_t first, uint32_t last, std::vector<uint32_t>& found) const;
  Result<void> outcomes_of(const EventFacts& event, uint32_t webhook_number,
                           std::vector<Outcome>& found) const override;
  Result<void> totals(std::optional<uint32_t> webhook_number, const HourRange& hours,
                      const VisitTotals& visit) const override;
  Result<void> open_deliveries(std::vector<LocalDelivery>& found) const override;
  Result<void> outcomes_of_segment(Position event, std::vector<Outcome>& found) const override;

  /// Halves its largest filter, which then says "maybe" more often. False: there is none to halve.
  bool fold_a_filter();
  /// The filter of ids goes, for a file of ids answers (IdGroup): it may have any.
  void release_ids();
  const Header& header() const { return header_; }

 private:
  friend class OpenFiles;
  class FileWalk;
  class FileEventWalk;
  using Key = std::pair<uint64_t, uint64_t>;

  /// The rows of a page; a walk may keep them.
  template <typename Row>
  using Rows = std::shared_ptr<const std::vector<Row>>;
  template <typename Row>
  struct LastPage {
    uint32_t page = UINT32_MAX;
    Rows<Row> rows;
  };
  /// What is in memory while the file is open.
  struct Loaded {
    io::File file;
    std::array<std::vector<Fence>, section_count> fences;  // Of tables.
    Dictionaries dictionaries;
    std::tuple<LastPage<EventRow>, LastPage<MatchRow>, LastPage<DeliveryRow>, LastPage<IdRow>,
               LastPage<OutcomeRow>, LastPage<TotalsRow>>
        last_pages;

    const std::vector<Fence>& of(Section section) const {
      return fences[static_cast<size_t>(section)];
    }
  };

  FilePart(OpenFiles& files, std::string path, uint64_t directory_id, uint16_t journal,
           uint32_t segment, bool of_earlier_run)
      : Part(journal, segment),
        files_(files),
        path_(std::move(path)),
        seal_(directory_id, journal, segment),
        of_earlier_run_(of_earlier_run) {}

  Result<void> read_summary(uint64_t directory_id);
  Result<Loaded*> loaded() const;
  Result<void> load(Loaded& loaded) const;
  Result<void> load_fences(Loaded& loaded) const;
  void unload() const;
  Result<void> read_pages(io::File file, uint32_t first_page, uint32_t pages,
                          std::vector<std::byte>& bytes) const;
  Result<std::vector<std::byte>> read_section(io::File file, Section section) const;

  template <typename Row>
  Result<Rows<Row>> page(Section section, uint32_t page_number) const;
  template <typename Row>
  Result<Rows<Row>> read_page(Loaded& loaded, Section section, uint32_t page_number) const;
  template <typename Row>
  Result<Row> row(Section section, uint32_t number) const;
  template <typename Row, typename Visit>
  Result<void> visit(Section section, const Key& from, const Key& to, Visit visit) const;

  Result<uint32_t> rank_of_first(const Ulid& uid) const;
  EventFacts facts(const EventRow& row) const;
  Result<MatchedEvent> matched(const EventRow& row) const;
  Result<std::optional<DeliveryRow>> find_delivery(const EventFacts& event,
                                                   uint32_t webhook_number) const;
  Result<LocalDelivery> local(const DeliveryRow& row) const;
  Result<LocalDelivery> local(const DeliveryRow& row, const EventFacts& event) const;
  Result<Outcome> told_outcome(const DeliveryRow& row, const EventFacts& event) const;
  Outcome complete(const Outcome& outcome) const;
  Result<void> add_outcomes(const Key& from, const Key& to, std::vector<Outcome>& found) const;

  OpenFiles& files_;
  const std::string path_;
  const PageSeal seal_;
  const bool of_earlier_run_;
  Header header_;
  Filters filters_;
  bool ids_released_ = false;
  mutable std::unique_ptr<Loaded> loaded_;  // Null while the file is not open.
};

/// Reads a whole index file and checks it, page by page. Blocking.
/// Errors: as Part; Errc::not_found if there is no such file.
Result<void> verify_index(io::Disk& disk, const std::string& journal_directory,
                          uint64_t directory_id, uint16_t journal, uint32_t segment);

}  // namespace ringpost::index
