#include "index/file_image.h"

#include "index/new_file.h"
#include "index/section_writer.h"

#include <algorithm>

namespace ringpost::index {
namespace {

constexpr Error corrupt{Errc::corrupt, Side::disk};

/// Merges the ranges that are nearest to each other until few enough are left.
void limit(std::vector<SegmentRange>& ranges, size_t ranges_max) {
  while (ranges.size() > ranges_max) {
    size_t nearest = 1;
    uint64_t smallest = UINT64_MAX;
    for (size_t index = 1; index < ranges.size(); ++index) {
      const SegmentRange& before = ranges[index - 1];
      if (before.journal != ranges[index].journal) continue;
      const uint64_t gap = ranges[index].first - before.last;
      if (gap >= smallest) continue;
      smallest = gap;
      nearest = index;
    }
    if (smallest == UINT64_MAX) return;  // One for each journal.
    ranges[nearest - 1].last = ranges[nearest].last;
    ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(nearest));
  }
}

/// Where the events of these outcomes are. @param outcomes  by event.
std::vector<SegmentRange> ranges_of(const std::vector<Outcome>& outcomes) {
  std::vector<SegmentRange> ranges;
  for (const Outcome& outcome : outcomes) {
    const Position event = outcome.delivery.event;
    if (!ranges.empty() && ranges.back().journal == event.journal() &&
        event.segment() <= ranges.back().last + 1) {
      ranges.back().last = event.segment();
    } else {
      ranges.push_back({event.journal(), event.segment(), event.segment()});
    }
  }
  limit(ranges, Filters::ranges_max);
  return ranges;
}

Filter filter_of(const std::vector<uint64_t>& hashes) {
  if (hashes.empty()) return {};
  Filter filter(hashes.size());
  for (const uint64_t hash : hashes) filter.add(hash);
  return filter;
}

bool told_before(const Outcome& a, const Outcome& b) {
  if (a.delivery != b.delivery) return a.delivery < b.delivery;
  return a.record < b.record;
}

/// All sections of one file in the making.
class ImageWriter {
 public:
  ImageWriter(const OpenPart& part, uint64_t directory_id)
      : part_(part), seal_(directory_id, part.journal(), part.segment()) {
    header_.journal = part.journal();
    header_.segment = part.segment();
    header_.directory_id = directory_id;
    if (!part.has_events()) return;
    header_.oldest = part.oldest();
    header_.newest = part.newest();
  }

  std::vector<std::byte> write() {
    write_events();
    write_ids();
    write_deliveries();
    write_outcomes();
    write_totals();
    write_filters();
    return assemble();
  }

 private:
  void write_events() {
    uint32_t matches = 0;
    for (size_t rank = 0; rank < part_.event_count(); ++rank) {
      EventRow row = part_.event_row(rank);
      row.first_match = matches;
      matches += row.matches;
      const UidHalves halves = halves_of(row.uid);
      events_.add(row, {.high = halves.high, .low = halves.low});
      for (const uint32_t webhook : part_.webhooks_of(rank)) matches_.add({webhook}, {});
    }
    events_.finish();
    matches_.finish();
  }

  void write_ids() {
    std::vector<std::pair<uint32_t, uint32_t>> ids;
    ids.reserve(part_.event_count());
    for (uint32_t rank = 0; rank < part_.event_count(); ++rank) {
      ids.emplace_back(part_.id_hash(rank), rank);
    }
    std::ranges::sort(ids);
    for (const auto& [hash, rank] : ids) {
      ids_.add({hash, rank}, {.high = hash});
      id_hashes_.push_back(mix(hash));
    }
    ids_.finish();
  }

  void write_deliveries() {
    const std::vector<uint32_t> ranks = part_.ranks_by_place();
    for (const auto& [webhook, places] : part_.deliveries()) {
      for (const uint32_t place : places) write_delivery(place, ranks[place]);
    }
    deliveries_.finish();
  }

  void write_delivery(uint32_t place, uint32_t event_row) {
    const LocalDelivery delivery = part_.delivery(place);
    DeliveryRow row{
        .webhook_number = delivery.webhook_number, .event_row = event_row, .told = delivery.told};
    DeliveryStatus status = DeliveryStatus::pending;
    if (row.told == LocalDelivery::Told::one) {
      row.set_outcome(delivery.outcome, delivery.event);
      status = delivery.outcome.status;
    } else if (row.told == LocalDelivery::Told::several) {
      std::vector<Outcome> told = part_.outcomes(place);
      outcomes_told_.insert(outcomes_told_.end(), told.begin(), told.end());
      status = resolve(told).status;
    }
    if (!journal::is_end(status)) ++header_.open;
    deliveries_.add(
        row, {.high = delivery.webhook_number, .low = event_row, .statuses = set_of(status)});
  }

  void write_outcomes() {
    foreign_ = part_.foreign_outcomes();
    std::ranges::sort(foreign_, told_before);
    outcomes_told_.insert(outcomes_told_.end(), foreign_.begin(), foreign_.end());
    std::ranges::sort(outcomes_told_, told_before);
    for (const Outcome& outcome : outcomes_told_) {
      const auto& [event, webhook] = outcome.delivery;
      outcomes_.add({outcome}, {.high = event.packed, .low = webhook});
    }
    outcomes_.finish();
  }

  void write_totals() {
    header_.hours = part_.hours();
    for (const TotalsRow& row : part_.totals_rows()) {
      const uint64_t hash = mix(row.key.webhook_number);
      if (webhook_hashes_.empty() || webhook_hashes_.back() != hash)
        webhook_hashes_.push_back(hash);
      totals_.add(row, {.high = row.key.webhook_number, .low = row.key.hour});
    }
    totals_.finish();
  }

  void write_filters() {
    std::vector<uint64_t> hashes;
    for (const Outcome& outcome : foreign_) {
      const uint64_t hash = outcome.delivery.hash();
      if (hashes.empty() || hashes.back() != hash) hashes.push_back(hash);
    }
    // Those of events that were carried forward have no totals here.
    for (const auto& [webhook, places] : part_.deliveries())
      webhook_hashes_.push_back(mix(webhook));
    std::ranges::sort(webhook_hashes_);
    const auto again = std::ranges::unique(webhook_hashes_);
    webhook_hashes_.erase(again.begin(), again.end());
    const Filters filters{.webhooks = filter_of(webhook_hashes_),
                          .ids = filter_of(id_hashes_),
                          .outcomes = filter_of(hashes),
                          .event_segments = ranges_of(foreign_)};
    filters.write(filters_);
  }

  std::vector<std::byte> assemble() {
    std::vector<std::byte> fences;
    write_fences(fences, events_);
    write_fences(fences, matches_);
    write_fences(fences, deliveries_);
    write_fences(fences, ids_);
    write_fences(fences, outcomes_);
    write_fences(fences, totals_);
    std::vector<std::byte> dictionaries;
    dictionaries_.write(dictionaries);

    image_.resize(page_bytes);
    add_bytes(Section::fences, fences);
    add_bytes(Section::dictionaries, dictionaries);
    add_bytes(Section::filters, filters_);
    add_table(Section::events, events_);
    add_table(Section::matches, matches_);
    add_table(Section::deliveries, deliveries_);
    add_table(Section::ids, ids_);
    add_table(Section::outcomes, outcomes_);
    add_table(Section::totals, totals_);
    header_.pages = next_page();
    write_header(header_, MutableBytes{image_}.first(page_bytes));
    for (uint32_t page = 0; page < header_.pages; ++page) {
      seal_.seal(page, MutableBytes{image_}.subspan(size_t{page} * page_bytes, page_bytes));
    }
    return std::move(image_);
  }

  template <typename Table>
  static void write_fences(std::vector<std::byte>& bytes, const Table& table) {
    Encoder out(bytes);
    Fence before;
    for (const Fence& fence : table.fences()) {
      out.number(fence.high - before.high);
      out.number(fence.low);
      out.number(fence.first_row - before.first_row);
      out.fixed(fence.statuses);
      before = fence;
    }
  }

  uint32_t next_page() const { return static_cast<uint32_t>(image_.size() / page_bytes); }

  void add_bytes(Section section, Bytes bytes) {
    Extent& extent = header_.extent(section);
    extent = {.first_page = next_page(), .pages = 0, .rows = static_cast<uint32_t>(bytes.size())};
    for (; !bytes.empty(); ++extent.pages) {
      const Bytes part = bytes.first(std::min<size_t>(bytes.size(), page_payload_bytes));
      image_.insert(image_.end(), part.begin(), part.end());
      image_.resize((extent.first_page + extent.pages + size_t{1}) * page_bytes);
      bytes = bytes.subspan(part.size());
    }
  }

  template <typename Table>
  void add_table(Section section, const Table& table) {
    header_.extent(section) = {.first_page = next_page(),
                               .pages = static_cast<uint32_t>(table.fences().size()),
                               .rows = table.rows()};
    image_.insert(image_.end(), table.pages().begin(), table.pages().end());
  }

  const OpenPart& part_;
  const PageSeal seal_;
  Header header_;
  Dictionaries dictionaries_;
  TableWriter<EventRow> events_{dictionaries_};
  TableWriter<MatchRow> matches_{dictionaries_};
  TableWriter<DeliveryRow> deliveries_{dictionaries_};
  TableWriter<IdRow> ids_{dictionaries_};
  TableWriter<OutcomeRow> outcomes_{dictionaries_};
  TableWriter<TotalsRow> totals_{dictionaries_};
  std::vector<uint64_t> webhook_hashes_;
  std::vector<uint64_t> id_hashes_;
  std::vector<Outcome> outcomes_told_;
  std::vector<Outcome> foreign_;
  std::vector<std::byte> filters_;
  std::vector<std::byte> image_;
};

}  // namespace

// --- filters -------------------------------------------------------------------------------------

void Filters::write(std::vector<std::byte>& bytes) const {
  Encoder out(bytes);
  for (const Filter* filter : {&webhooks, &ids, &outcomes}) {
    out.number(filter->bytes().size());
    out.bytes(filter->bytes());
  }
  out.number(event_segments.size());
  for (const SegmentRange& range : event_segments) {
    out.number(range.journal);
    out.number(range.first);
    out.number(range.last);
  }
}

Result<Filters> Filters::read(Bytes bytes) {
  Decoder in(bytes);
  Filters filters;
  for (Filter* filter : {&filters.webhooks, &filters.ids, &filters.outcomes}) {
    const uint64_t size = in.number();
    if (size > bytes.size()) return corrupt;
    const Bytes bits = in.bytes(static_cast<size_t>(size));
    *filter = Filter(std::vector<std::byte>(bits.begin(), bits.end()));
  }
  const uint64_t ranges = in.number();
  if (ranges > Position::journals_max + ranges_max) return corrupt;
  for (uint64_t index = 0; index < ranges; ++index) {
    filters.event_segments.push_back({.journal = static_cast<uint32_t>(in.number()),
                                      .first = static_cast<uint32_t>(in.number()),
                                      .last = static_cast<uint32_t>(in.number())});
  }
  if (in.failed()) return corrupt;
  return filters;
}

uint64_t Filters::memory_bytes() const {
  return webhooks.bytes().size() + ids.bytes().size() + outcomes.bytes().size() +
         event_segments.size() * sizeof(SegmentRange);
}

// --- the file ------------------------------------------------------------------------------------

std::vector<std::byte> make_image(const OpenPart& part, uint64_t directory_id) {
  return ImageWriter(part, directory_id).write();
}

Result<void> write_image(io::Disk& disk, const std::string& journal_directory, const Part& part,
                         Bytes image) {
  NewFile file(disk, journal::journal_path(journal_directory, part.journal()),
               journal::index_name(part.segment()), journal::unfinished_index_name(part.segment()));
  if (auto created = file.create(); !created) return created;
  if (auto written = file.write_at(0, image); !written) return written;
  return file.finish();
}

Result<void> write_index(io::Disk& disk, const std::string& journal_directory,
                         uint64_t directory_id, const OpenPart& part) {
  return write_image(disk, journal_directory, part, make_image(part, directory_id));
}

}  // namespace ringpost::index
