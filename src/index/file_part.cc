#include "index/file_part.h"

#include "base/assert.h"

#include <algorithm>
#include <unordered_map>

namespace ringpost::index {
namespace {

constexpr Error corrupt{Errc::corrupt, Side::disk};

std::pair<uint64_t, uint64_t> key_of(const EventRow& row) {
  const UidHalves halves = halves_of(row.uid);
  return {halves.high, halves.low};
}
std::pair<uint64_t, uint64_t> key_of(const DeliveryRow& row) {
  return {row.webhook_number, row.event_row};
}
std::pair<uint64_t, uint64_t> key_of(const IdRow& row) {
  return {row.hash, 0};
}
std::pair<uint64_t, uint64_t> key_of(const OutcomeRow& row) {
  return {row.outcome.delivery.event.packed, row.outcome.delivery.webhook_number};
}
std::pair<uint64_t, uint64_t> key_of(const TotalsRow& row) {
  return {row.key.webhook_number, row.key.hour};
}

/// The page in which a row with this key would be the first that is not smaller, or the page before
/// it: the last one that begins with a smaller key.
uint32_t page_before(const std::vector<Fence>& fences, const std::pair<uint64_t, uint64_t>& key) {
  const auto place = std::ranges::lower_bound(fences, key, {}, &Fence::key);
  const auto number = static_cast<uint32_t>(place - fences.begin());
  return number == 0 ? 0 : number - 1;
}

/// Rows follow each other from 0; each page has some.
bool in_order(const std::vector<Fence>& fences, uint32_t rows) {
  uint32_t next = 0;
  for (const Fence& fence : fences) {
    if (&fence == &fences.front() ? fence.first_row != 0 : fence.first_row <= next) return false;
    next = fence.first_row;
  }
  return fences.empty() ? rows == 0 : next < rows;
}

}  // namespace

// --- files that are open -------------------------------------------------------------------------

uint64_t OpenFiles::memory_bytes() const {
  uint64_t bytes = 0;
  for (const FilePart* part : files_) {
    for (const auto& fences : part->loaded_->fences) bytes += fences.capacity() * sizeof(Fence);
  }
  return bytes;
}

void OpenFiles::close_all() {
  while (!files_.empty()) files_.front()->unload();
}

void OpenFiles::opened(const FilePart& part) {
  if (files_.size() == files_max) files_.back()->unload();
  files_.push_front(&part);
}

void OpenFiles::used(const FilePart& part) {
  if (files_.front() == &part) return;
  files_.splice(files_.begin(), files_, std::ranges::find(files_, &part));
}

void OpenFiles::closed(const FilePart& part) {
  files_.remove(&part);
}

// --- opening -------------------------------------------------------------------------------------

Result<std::unique_ptr<FilePart>> FilePart::open(OpenFiles& files,
                                                 const std::string& journal_directory,
                                                 uint64_t directory_id, uint16_t journal,
                                                 uint32_t segment, bool of_earlier_run) {
  std::unique_ptr<FilePart> part(new FilePart(files,
                                              index_path(journal_directory, journal, segment),
                                              directory_id, journal, segment, of_earlier_run));
  if (auto read = part->read_summary(directory_id); !read) return read.error();
  return part;
}

FilePart::~FilePart() {
  if (loaded_) unload();
}

Result<void> FilePart::read_summary(uint64_t directory_id) {
  const auto file = files_.disk_.open(path_, io::Disk::OpenMode::read);
  if (!file) return file.error();
  const auto read = [&]() -> Result<void> {
    const auto size = files_.disk_.size(*file);
    if (!size) return size.error();
    std::vector<std::byte> page;
    if (auto whole = read_pages(*file, 0, 1, page); !whole) return whole;
    const auto header = read_header(page);
    if (!header) return header.error();
    header_ = *header;
    const bool ours = header_.journal == journal() && header_.segment == segment() &&
                      header_.directory_id == directory_id;
    if (!ours || *size < uint64_t{header_.pages} * page_bytes) return corrupt;
    const auto bytes = read_section(*file, Section::filters);
    if (!bytes) return bytes.error();
    auto filters = Filters::read(*bytes);
    if (!filters) return filters.error();
    filters_ = std::move(*filters);
    return {};
  }();
  files_.disk_.close(*file);
  return read;
}

Result<FilePart::Loaded*> FilePart::loaded() const {
  if (loaded_) {
    files_.used(*this);
    return loaded_.get();
  }
  const auto file = files_.disk_.open(path_, io::Disk::OpenMode::read);
  if (!file) return file.error();
  auto loading = std::make_unique<Loaded>();
  loading->file = *file;
  if (auto done = load(*loading); !done) {
    files_.disk_.close(*file);
    return done.error();
  }
  loaded_ = std::move(loading);
  files_.opened(*this);
  return loaded_.get();
}

Result<void> FilePart::load(Loaded& loading) const {
  if (auto fences = load_fences(loading); !fences) return fences;
  const auto bytes = read_section(loading.file, Section::dictionaries);
  if (!bytes) return bytes.error();
  auto dictionaries = Dictionaries::read(*bytes);
  if (!dictionaries) return dictionaries.error();
  loading.dictionaries = std::move(*dictionaries);
  return {};
}

Result<void> FilePart::load_fences(Loaded& loading) const {
  const auto bytes = read_section(loading.file, Section::fences);
  if (!bytes) return bytes.error();
  Decoder in(*bytes);
  for (size_t section = first_table; section < section_count; ++section) {
    std::vector<Fence>& fences = loading.fences[section];
    Fence fence;
    for (uint32_t page = 0; page < header_.sections[section].pages && !in.failed(); ++page) {
      fence.high += in.number();
      fence.low = in.number();
      fence.first_row += static_cast<uint32_t>(in.number());
      fence.statuses = in.fixed<StatusSet>();
      fences.push_back(fence);
    }
    if (in.failed() || !in_order(fences, header_.sections[section].rows)) return corrupt;
  }
  return {};
}

void FilePart::unload() const {
  files_.disk_.close(loaded_->file);
  loaded_.reset();
  files_.closed(*this);
}

// --- pages and rows ------------------------------------------------------------------------------

Result<void> FilePart::read_pages(io::File file, uint32_t first_page, uint32_t pages,
                                  std::vector<std::byte>& bytes) const {
  bytes.resize(size_t{pages} * page_bytes);
  const auto read = files_.disk_.read_at(file, uint64_t{first_page} * page_bytes, bytes);
  if (!read) return read.error();
  files_.count_pages(pages);
  if (*read < bytes.size()) return corrupt;
  for (uint32_t page = 0; page < pages; ++page) {
    const Bytes one = Bytes{bytes}.subspan(size_t{page} * page_bytes, page_bytes);
    if (!seal_.is_whole(first_page + page, one)) return corrupt;
  }
  return {};
}

Result<std::vector<std::byte>> FilePart::read_section(io::File file, Section section) const {
  const Extent& extent = header_.extent(section);
  std::vector<std::byte> bytes;
  if (auto read = read_pages(file, extent.first_page, extent.pages, bytes); !read) {
    return read.error();
  }
  for (uint32_t page = 1; page < extent.pages; ++page) {  // The checksums go.
    std::memmove(&bytes[size_t{page} * page_payload_bytes], &bytes[size_t{page} * page_bytes],
                 page_payload_bytes);
  }
  bytes.resize(std::min<size_t>(extent.rows, size_t{extent.pages} * page_payload_bytes));
  return bytes;
}

template <typename Row>
Result<FilePart::Rows<Row>> FilePart::page(Section section, uint32_t page_number) const {
  const auto loaded = this->loaded();
  if (!loaded) return loaded.error();
  auto& last = std::get<LastPage<Row>>((*loaded)->last_pages);
  if (last.page == page_number) return last.rows;
  auto rows = read_page<Row>(**loaded, section, page_number);
  if (rows) last = {page_number, *rows};
  return rows;
}

template <typename Row>
Result<FilePart::Rows<Row>> FilePart::read_page(Loaded& loaded, Section section,
                                                uint32_t page_number) const {
  const std::vector<Fence>& fences = loaded.of(section);
  const Extent& extent = header_.extent(section);
  std::vector<std::byte> bytes;
  if (auto read = read_pages(loaded.file, extent.first_page + page_number, 1, bytes); !read) {
    return read.error();
  }
  const uint32_t end =
      page_number + 1 < fences.size() ? fences[page_number + 1].first_row : extent.rows;
  Decoder in(Bytes{bytes}.first(page_payload_bytes));
  const auto count = in.fixed<uint16_t>();
  if (count != end - fences[page_number].first_row) return corrupt;
  std::vector<Row> rows(count);
  typename Row::State state;
  for (Row& row : rows) {
    if (!row.read(in, state, loaded.dictionaries) || in.failed()) return corrupt;
  }
  return std::make_shared<const std::vector<Row>>(std::move(rows));
}

/// By its number. Errc::corrupt if there is none.
template <typename Row>
Result<Row> FilePart::row(Section section, uint32_t number) const {
  const auto loaded = this->loaded();
  if (!loaded) return loaded.error();
  if (number >= header_.extent(section).rows) return corrupt;
  const std::vector<Fence>& fences = (*loaded)->of(section);
  const auto behind = std::ranges::upper_bound(fences, number, {}, &Fence::first_row);
  const auto page_number = static_cast<uint32_t>(behind - fences.begin() - 1);
  const uint32_t first_row = fences[page_number].first_row;
  const auto rows = page<Row>(section, page_number);
  if (!rows) return rows.error();
  return (**rows)[number - first_row];
}

/// Gives `visit` each row of a table whose key is in [from, to], in order, with its number, until
/// it answers false. It asks no other part.
template <typename Row, typename Visit>
Result<void> FilePart::visit(Section section, const Key& from, const Key& to, Visit visit) const {
  const auto loaded = this->loaded();
  if (!loaded) return loaded.error();
  const std::vector<Fence>& fences = (*loaded)->of(section);
  for (uint32_t number = page_before(fences, from);
       number < fences.size() && fences[number].key() <= to; ++number) {
    const auto rows = page<Row>(section, number);
    if (!rows) return rows.error();
    for (uint32_t place = 0; place < (*rows)->size(); ++place) {
      const Row& row = (**rows)[place];
      if (key_of(row) < from) continue;
      if (key_of(row) > to) return {};
      const Result<bool> go_on = visit(row, fences[number].first_row + place);
      if (!go_on) return go_on.error();
      if (!*go_on) return {};
    }
  }
  return {};
}

// --- what to ask ---------------------------------------------------------------------------------

bool FilePart::may_have_webhook(uint32_t webhook_number) const {
  return filters_.webhooks.may_have(mix(webhook_number));
}

bool FilePart::may_have_id(uint32_t id_hash) const {
  return ids_released_ ? has_events() : filters_.ids.may_have(mix(id_hash));
}

void FilePart::release_ids() {
  filters_.ids = {};
  ids_released_ = true;
}

bool FilePart::may_have_outcomes_of_segment(Position event) const {
  return std::ranges::any_of(filters_.event_segments,
                             [&](const SegmentRange& range) { return range.has(event); });
}

bool FilePart::may_have_outcomes(const DeliveryKey& delivery) const {
  return filters_.outcomes.may_have(delivery.hash());
}

bool FilePart::fold_a_filter() {
  Filter* largest = nullptr;
  for (Filter* filter : {&filters_.webhooks, &filters_.ids, &filters_.outcomes}) {
    if (!filter->can_fold()) continue;
    if (largest == nullptr || filter->bytes().size() > largest->bytes().size()) largest = filter;
  }
  if (largest != nullptr) largest->fold();
  return largest != nullptr;
}

// --- events --------------------------------------------------------------------------------------

EventFacts FilePart::facts(const EventRow& row) const {
  return {.uid = row.uid,
          .position = Position::make(journal(), segment(), row.offset),
          .type_hash = row.type_hash,
          .source_hash = row.source_hash,
          .origin = row.origin};
}

Result<MatchedEvent> FilePart::matched(const EventRow& row) const {
  MatchedEvent found{.facts = facts(row), .webhook_numbers = {}};
  for (uint32_t match = 0; match < row.matches; ++match) {
    const auto one = this->row<MatchRow>(Section::matches, row.first_match + match);
    if (!one) return one.error();
    found.webhook_numbers.push_back(one->webhook_number);
  }
  return found;
}

/// How many events have a smaller uid.
Result<uint32_t> FilePart::rank_of_first(const Ulid& uid) const {
  if (uid > header_.newest) return header_.extent(Section::events).rows;
  const UidHalves halves = halves_of(uid);
  uint32_t rank = header_.extent(Section::events).rows;
  const auto visited =
      visit<EventRow>(Section::events, {halves.high, halves.low}, {UINT64_MAX, UINT64_MAX},
                      [&](const EventRow&, uint32_t number) -> Result<bool> {
                        rank = number;
                        return false;
                      });
  if (!visited) return visited.error();
  return rank;
}

Result<std::optional<MatchedEvent>> FilePart::event(const Ulid& uid) const {
  const UidHalves halves = halves_of(uid);
  const Key key{halves.high, halves.low};
  std::optional<EventRow> row;
  const auto visited = visit<EventRow>(Section::events, key, key,
                                       [&](const EventRow& one, uint32_t) -> Result<bool> {
                                         row = one;
                                         return false;
                                       });
  if (!visited) return visited.error();
  if (!row) return std::optional<MatchedEvent>{};
  auto found = matched(*row);
  if (!found) return found.error();
  return std::optional{std::move(*found)};
}

Result<std::vector<MatchedEvent>> FilePart::events_at(uint64_t time_ms) const {
  std::vector<EventRow> rows;
  const auto visited =
      visit<EventRow>(Section::events, {time_ms << 16, 0}, {time_ms << 16 | 0xffff, UINT64_MAX},
                      [&](const EventRow& one, uint32_t) -> Result<bool> {
                        rows.push_back(one);
                        return true;
                      });
  if (!visited) return visited.error();
  std::vector<MatchedEvent> found;
  for (const EventRow& row : rows) {
    auto event = matched(row);
    if (!event) return event.error();
    found.push_back(std::move(*event));
  }
  return found;
}

Result<void> FilePart::events_of_id(uint32_t id_hash, std::vector<EventFacts>& found) const {
  return visit<IdRow>(Section::ids, {id_hash, 0}, {id_hash, 0},
                      [&](const IdRow& id, uint32_t) -> Result<bool> {
                        const auto event = row<EventRow>(Section::events, id.event_row);
                        if (!event) return event.error();
                        found.push_back(facts(*event));
                        return true;
                      });
}

Result<void> FilePart::id_hashes(uint32_t first, uint32_t last,
                                 std::vector<uint32_t>& found) const {
  return visit<IdRow>(Section::ids, {first, 0}, {last, 0},
                      [&](const IdRow& id, uint32_t) -> Result<bool> {
                        found.push_back(id.hash);
                        return true;
                      });
}

// --- deliveries ----------------------------------------------------------------------------------

Result<std::optional<DeliveryRow>> FilePart::find_delivery(const EventFacts& event,
                                                           uint32_t webhook_number) const {
  const auto rank = rank_of_first(event.uid);
  if (!rank) return rank.error();
  const Key key{webhook_number, *rank};
  std::optional<DeliveryRow> found;
  const auto visited = visit<DeliveryRow>(Section::deliveries, key, key,
                                          [&](const DeliveryRow& row, uint32_t) -> Result<bool> {
                                            found = row;
                                            return false;
                                          });
  if (!visited) return visited.error();
  return found;
}

Result<Outcome> FilePart::told_outcome(const DeliveryRow& row, const EventFacts& event) const {
  auto outcome = row.outcome(event);
  if (outcome) outcome->of_earlier_run = of_earlier_run_;
  return outcome;
}

Result<LocalDelivery> FilePart::local(const DeliveryRow& row) const {
  const auto event = this->row<EventRow>(Section::events, row.event_row);
  if (!event) return event.error();
  return local(row, facts(*event));
}

Result<LocalDelivery> FilePart::local(const DeliveryRow& row, const EventFacts& event) const {
  LocalDelivery delivery{
      .event = event, .webhook_number = row.webhook_number, .told = row.told, .outcome = {}};
  if (row.told != LocalDelivery::Told::one) return delivery;
  const auto outcome = told_outcome(row, delivery.event);
  if (!outcome) return outcome.error();
  delivery.outcome = *outcome;
  return delivery;
}

/// A row of the table does not name its own segment.
Outcome FilePart::complete(const Outcome& outcome) const {
  Outcome whole = outcome;
  whole.record = Position::make(journal(), segment(), static_cast<uint32_t>(outcome.record.packed));
  whole.of_earlier_run = of_earlier_run_;
  return whole;
}

Result<void> FilePart::add_outcomes(const Key& from, const Key& to,
                                    std::vector<Outcome>& found) const {
  return visit<OutcomeRow>(Section::outcomes, from, to,
                           [&](const OutcomeRow& row, uint32_t) -> Result<bool> {
                             found.push_back(complete(row.outcome));
                             return true;
                           });
}

Result<void> FilePart::outcomes_of(const EventFacts& event, uint32_t webhook_number,
                                   std::vector<Outcome>& found) const {
  const EventFacts first = event.first();
  if (holds(first.position)) {
    const auto row = find_delivery(first, webhook_number);
    if (!row) return row.error();
    if (*row && (*row)->told == LocalDelivery::Told::nothing) return {};
    if (*row && (*row)->told == LocalDelivery::Told::one) {
      const auto outcome = told_outcome(**row, first);
      if (!outcome) return outcome.error();
      found.push_back(*outcome);
      return {};
    }
  }
  const Key key{first.position.packed, webhook_number};
  return add_outcomes(key, key, found);
}

namespace {

/// Nothing but successes stay what they are: what else is in a page may have changed since.
bool may_have(const Fence& fence, StatusSet statuses) {
  constexpr StatusSet delivered = set_of(DeliveryStatus::delivered);
  return fence.statuses != delivered || (statuses & delivered) != 0;
}

}  // namespace

/// From the newest page that may have some back to the oldest.
class FilePart::FileWalk final : public Walk {
 public:
  FileWalk(const FilePart& part, uint32_t webhook_number, uint32_t events_end, StatusSet statuses,
           const std::vector<Fence>& fences)
      : part_(part),
        first_{webhook_number, 0},
        end_{webhook_number, events_end},
        statuses_(statuses),
        fences_(fences),
        pages_left_(static_cast<uint32_t>(std::ranges::lower_bound(fences_, end_, {}, &Fence::key) -
                                          fences_.begin())) {}

  Result<const LocalDelivery*> next() override {
    while (true) {
      while (rows_left_ > 0) {
        const DeliveryRow& row = (*rows_)[--rows_left_];
        if (key_of(row) >= end_) continue;
        if (key_of(row) < first_) return nullptr;
        return fill(row);
      }
      if (pages_left_ == 0 || (begun_ && fences_[pages_left_].key() < first_)) return nullptr;
      if (auto read = read_page(); !read) return read.error();
    }
  }

 private:
  Result<void> read_page() {
    begun_ = true;
    --pages_left_;
    if (!may_have(fences_[pages_left_], statuses_)) return {};
    auto rows = part_.page<DeliveryRow>(Section::deliveries, pages_left_);
    if (!rows) return rows.error();
    rows_ = *rows;
    rows_left_ = rows_->size();
    return {};
  }

  Result<const LocalDelivery*> fill(const DeliveryRow& row) {
    auto delivery = part_.local(row);
    if (!delivery) return delivery.error();
    current_ = *delivery;
    return &current_;
  }

  const FilePart& part_;
  const Key first_;
  const Key end_;
  const StatusSet statuses_;
  const std::vector<Fence> fences_;
  uint32_t pages_left_;
  bool begun_ = false;
  Rows<DeliveryRow> rows_;
  size_t rows_left_ = 0;
  LocalDelivery current_;
};

Result<std::unique_ptr<Part::Walk>> FilePart::walk(uint32_t webhook_number, const Ulid& before,
                                                   StatusSet statuses) const {
  const auto end = rank_of_first(before);
  if (!end) return end.error();
  const auto loaded = this->loaded();
  if (!loaded) return loaded.error();
  return std::unique_ptr<Walk>(std::make_unique<FileWalk>(*this, webhook_number, *end, statuses,
                                                          (*loaded)->of(Section::deliveries)));
}

/// Deliveries of one event are in as many pages as it has webhooks, and so are those of the next:
/// the pages of the last webhooks stay in memory, 15 KiB each.
class FilePart::FileEventWalk final : public EventWalk {
 public:
  FileEventWalk(const FilePart& part, uint32_t events_end) : part_(part), rank_(events_end) {}

  Result<const MatchedEvent*> next() override {
    if (rank_ == 0) return nullptr;
    const auto row = part_.row<EventRow>(Section::events, rank_ - 1);
    if (!row) return row.error();
    auto event = part_.matched(*row);
    if (!event) return event.error();
    --rank_;
    current_ = std::move(*event);
    return &current_;
  }

  Result<const LocalDelivery*> delivery(uint32_t webhook_number, StatusSet statuses) override {
    const Key key{webhook_number, rank_};
    const auto loaded = part_.loaded();
    if (!loaded) return loaded.error();
    const std::vector<Fence>& fences = (*loaded)->of(Section::deliveries);
    const auto behind = std::ranges::upper_bound(fences, key, {}, &Fence::key);
    if (behind == fences.begin()) return corrupt;
    const auto page_number = static_cast<uint32_t>(behind - fences.begin() - 1);
    if (!may_have(fences[page_number], statuses)) return nullptr;
    const auto rows = page(page_number);
    if (!rows) return rows.error();
    const auto row = std::ranges::lower_bound(**rows, key, {},
                                              [](const DeliveryRow& one) { return key_of(one); });
    if (row == (*rows)->end() || key_of(*row) != key) return corrupt;
    auto delivery = part_.local(*row, current_.facts);
    if (!delivery) return delivery.error();
    delivery_ = *delivery;
    return &delivery_;
  }

 private:
  static constexpr size_t pages_kept_max = 64;

  Result<Rows<DeliveryRow>> page(uint32_t page_number) {
    if (const auto known = pages_.find(page_number); known != pages_.end()) return known->second;
    auto rows = part_.page<DeliveryRow>(Section::deliveries, page_number);
    if (!rows) return rows;
    if (pages_.size() == pages_kept_max) pages_.clear();
    pages_.emplace(page_number, *rows);
    return rows;
  }

  const FilePart& part_;
  uint32_t rank_;  // Of the current event.
  MatchedEvent current_;
  LocalDelivery delivery_;
  std::unordered_map<uint32_t, Rows<DeliveryRow>> pages_;
};

Result<std::unique_ptr<Part::EventWalk>> FilePart::walk_events(const Ulid& before) const {
  const auto end = rank_of_first(before);
  if (!end) return end.error();
  return std::unique_ptr<EventWalk>(std::make_unique<FileEventWalk>(*this, *end));
}

Result<void> FilePart::totals(std::optional<uint32_t> webhook_number, const HourRange& hours,
                              const VisitTotals& visit) const {
  if (hours.empty() || (webhook_number && !may_have_webhook(*webhook_number))) return {};
  const Key from{webhook_number.value_or(0), hours.begin};
  const Key to{webhook_number.value_or(UINT32_MAX), hours.end - 1};
  return this->visit<TotalsRow>(Section::totals, from, to,
                                [&](const TotalsRow& row, uint32_t) -> Result<bool> {
                                  if (hours.has(row.key.hour)) visit(row.key, row.totals);
                                  return true;
                                });
}

// --- for a start ---------------------------------------------------------------------------------

Result<void> FilePart::open_deliveries(std::vector<LocalDelivery>& found) const {
  const auto loaded = this->loaded();
  if (!loaded) return loaded.error();
  const std::vector<Fence>& fences = (*loaded)->of(Section::deliveries);
  std::vector<DeliveryRow> open;
  for (uint32_t number = 0; number < fences.size(); ++number) {
    if ((fences[number].statuses & open_statuses) == 0) continue;
    const auto rows = page<DeliveryRow>(Section::deliveries, number);
    if (!rows) return rows.error();
    std::ranges::copy_if(**rows, std::back_inserter(open),
                         [](const DeliveryRow& row) { return row.may_be_open(); });
  }
  std::ranges::sort(open, {}, &DeliveryRow::event_row);  // Then each page of events is read once.
  for (const DeliveryRow& row : open) {
    const auto delivery = local(row);
    if (!delivery) return delivery.error();
    found.push_back(*delivery);
  }
  return {};
}

Result<void> FilePart::outcomes_of_segment(Position event, std::vector<Outcome>& found) const {
  const uint64_t first = Position::make(event.journal(), event.segment(), 0).packed;
  return add_outcomes({first, 0}, {first + journal::segment_bytes_max - 1, UINT64_MAX}, found);
}

Result<void> verify_index(io::Disk& disk, const std::string& journal_directory,
                          uint64_t directory_id, uint16_t journal, uint32_t segment) {
  OpenFiles files(disk);
  const auto part = FilePart::open(files, journal_directory, directory_id, journal, segment, false);
  if (!part) return part.error();
  const auto file =
      disk.open(index_path(journal_directory, journal, segment), io::Disk::OpenMode::read);
  if (!file) return file.error();
  const PageSeal seal(directory_id, journal, segment);
  std::vector<std::byte> page(page_bytes);
  Result<void> checked;
  for (uint32_t number = 0; checked && number < (*part)->header().pages; ++number) {
    const auto read = disk.read_at(*file, uint64_t{number} * page_bytes, page);
    if (!read) {
      checked = read.error();
    } else if (*read < page_bytes || !seal.is_whole(number, page)) {
      checked = corrupt;
    }
  }
  disk.close(*file);
  return checked;
}

}  // namespace ringpost::index
