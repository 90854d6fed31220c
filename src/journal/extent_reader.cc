#include "journal/extent_reader.h"

#include "base/assert.h"
#include "journal/format.h"
#include "journal/writer.h"

#include <algorithm>
#include <utility>

// want ─> (file being opened) ─> (queued for an extent) ─> extent being read ─> answer

namespace ringpost::journal {
namespace {

constexpr Error corrupt{Errc::corrupt, Side::disk};
constexpr Error not_found{Errc::not_found, Side::disk};

/// A damaged header is not believed beyond this.
constexpr uint64_t event_bytes_max = 32u << 20;

uint16_t journal_of(Position position) {
  return static_cast<uint16_t>(position.journal());
}

uint32_t page_of(Position position) {
  return position.offset() / page_bytes * page_bytes;
}

}  // namespace

ExtentReader::ExtentReader(io::Ring& ring, ExtentEvents& events, const Options& options)
    : ring_(ring), events_(events), options_(options) {
  RINGPOST_ASSERT(options.extent_bytes % page_bytes == 0);
  RINGPOST_ASSERT(options.extents_max >= options.reads_max);
  RINGPOST_ASSERT(options.reads_max > 0);
}

ExtentReader::~ExtentReader() {
  ring_.disarm(rest_timer_);
  for (OpenFile& file : files_) close(file);
}

// --- wishes --------------------------------------------------------------------------------------

bool ExtentReader::Extent::covers(Position position, uint32_t bytes) const {
  return position.journal() == begin.journal() && position.segment() == begin.segment() &&
         position.offset() >= begin.offset() && position.offset() - begin.offset() + bytes <= size;
}

EventRef ExtentReader::at_hand(Position position) {
  const Extent* extent = find(position);
  if (extent == nullptr || extent->reading) return {};
  auto event = decode(*extent, position);
  return event ? std::move(*event) : EventRef{};
}

void ExtentReader::want(Position position, uint64_t ticket) {
  const Wish wish{.position = position, .ticket = ticket};
  const bool possible =
      position.segment() > 0 && position.offset() >= page_bytes && position.offset() % 8 == 0;
  possible ? serve(wish) : answer(wish, not_found);
}

bool ExtentReader::next_answer(Answer& answer) {
  if (answers_.empty()) {
    answered_.clear();
    return false;
  }
  answer = std::move(answers_.front());
  answers_.pop_front();
  return true;
}

void ExtentReader::answer(const Wish& wish, Result<EventRef> event) {
  Answer& answer = answers_.emplace_back(Answer{.ticket = wish.ticket, .event = {}});
  if (event) {
    answer.event = std::move(*event);
  } else {
    answer.error = event.error();
  }
}

/// Answers it, or has it wait for the one thing that it needs next.
void ExtentReader::serve(const Wish& wish) {
  Extent* extent = find(wish.position);
  const uint32_t bytes = std::max(wish.bytes, record_header_bytes);
  if (extent == nullptr || !extent->covers(wish.position, bytes)) return read_for(wish);
  if (extent->reading) return extent->wishes.push_back(wish);
  serve_from(*extent, wish, Age::cached);
}

/// The extent that has the header of the record at `position`, or will.
ExtentReader::Extent* ExtentReader::find(Position position) {
  Extent* best = nullptr;  // Of two, the one with more of the record.
  for (const auto& extent : extents_) {
    if (!extent->covers(position, record_header_bytes)) continue;
    if (best == nullptr || extent->end() > best->end()) best = extent.get();
  }
  if (best != nullptr) best->used = ++clock_;
  return best;
}

void ExtentReader::serve_from(Extent& extent, const Wish& wish, Age age) {
  if (!extent.covers(wish.position, record_header_bytes)) return retry(extent, wish, age);
  const uint32_t span = span_of(extent, wish.position);
  if (wish.bytes == 0 && span > 0 && !extent.covers(wish.position, span)) {
    Wish larger = wish;
    larger.bytes = span;
    return serve(larger);  // It may be under way for another.
  }
  auto event = decode_once(extent, wish.position);
  const bool may_retry = !event && event.error().code == Errc::corrupt;
  may_retry ? retry(extent, wish, age) : answer(wish, std::move(event));
}

/// What was read before may have been written since; and a file may have been given to another
/// segment: whoever opens it again finds out.
void ExtentReader::retry(Extent& extent, const Wish& wish, Age age) {
  extent.size = 0;
  if (age == Age::cached) return read_for(wish);
  wish.again ? answer(wish, corrupt) : open_again(wish);
}

Bytes ExtentReader::Extent::from(Position position) const {
  return Bytes{buffer.data(), size}.subspan(position.offset() - begin.offset());
}

/// What the record at `position` says that it takes; 0 if there is none.
uint32_t ExtentReader::span_of(const Extent& extent, Position position) {
  const auto header = peek_record_header(extent.from(position), event_bytes_max);
  return header ? static_cast<uint32_t>(record_span(header->payload_bytes)) : 0;
}

Result<EventRef> ExtentReader::decode(const Extent& extent, Position position) const {
  const Bytes bytes = extent.from(position);
  const auto header = peek_record_header(bytes, bytes.size());
  if (!header || header->type != static_cast<uint8_t>(RecordType::event)) return corrupt;
  if (!extent.covers(position, static_cast<uint32_t>(record_span(header->payload_bytes)))) {
    return corrupt;
  }
  const Generation generation(options_.directory_id, journal_of(position), position.segment());
  if (!verify_record(*header, generation, position.offset(), bytes)) return corrupt;
  return EventCodec::decode(bytes.subspan(record_header_bytes, header->payload_bytes), position);
}

/// Many may wait for one event: they get the same one.
Result<EventRef> ExtentReader::decode_once(const Extent& extent, Position position) {
  const auto known = answered_.find(position.packed);
  if (known != answered_.end()) return known->second;
  auto event = decode(extent, position);
  if (event) answered_.emplace(position.packed, *event);
  return event;
}

// --- extents -------------------------------------------------------------------------------------

void ExtentReader::read_for(const Wish& wish) {
  OpenFile* file = find_file(wish.position);
  if (file == nullptr) return open_for(wish);
  if (!file->file.valid()) return file->wishes.push_back(wish);
  Extent* extent = reading_ < options_.reads_max ? free_extent() : nullptr;
  if (extent == nullptr) return queued_.push_back(wish);

  const uint32_t begin = page_of(wish.position);
  const uint32_t needed = wish.position.offset() - begin + wish.bytes;
  const uint32_t wanted = std::max(options_.extent_bytes, round_up(needed, page_bytes));
  if (extent->buffer.capacity() != wanted) extent->buffer = BlockBuffer(wanted);
  extent->begin = Position::make(journal_of(wish.position), wish.position.segment(), begin);
  extent->size = wanted;
  extent->used = ++clock_;
  extent->reading = true;
  extent->wishes.push_back(wish);
  file->used = clock_;
  ++file->reads;
  ++reading_;
  ring_.disarm(rest_timer_);
  ring_.read<&Extent::on_read>(*extent, extent->op, file->file, begin,
                               MutableBytes{extent->buffer.data(), wanted});
}

/// One that is not there yet, or the one whose last use is longest ago.
ExtentReader::Extent* ExtentReader::free_extent() {
  if (extents_.size() < options_.extents_max) {
    return extents_.emplace_back(std::make_unique<Extent>(*this)).get();
  }
  Extent* oldest = nullptr;
  for (const auto& extent : extents_) {
    if (extent->reading) continue;
    if (oldest == nullptr || extent->used < oldest->used) oldest = extent.get();
  }
  return oldest;
}

void ExtentReader::on_read(Extent& extent, const io::Outcome& outcome) {
  extent.size = outcome ? static_cast<uint32_t>(outcome.result) : 0;
  --reading_;
  if (OpenFile* file = find_file(extent.begin)) --file->reads;
  const std::vector<Wish> wishes = std::exchange(extent.wishes, {});
  // Still `reading`: no wish of these may have it read something else before the last is served.
  for (const Wish& wish : wishes) {
    if (!outcome) {
      answer(wish, outcome.error(Side::disk));
    } else {
      serve_from(extent, wish, Age::just_read);
    }
  }
  RINGPOST_ASSERT(extent.wishes.empty());
  extent.reading = false;
  serve_queued();
  if (reading_ == 0) ring_.arm<&ExtentReader::on_rest>(*this, rest_timer_, options_.rest_after);
}

void ExtentReader::serve_queued() {
  for (size_t count = queued_.size(); count > 0 && reading_ < options_.reads_max; --count) {
    const Wish wish = queued_.front();
    queued_.pop_front();
    serve(wish);
  }
}

/// Nobody has wanted anything for a while.
void ExtentReader::on_rest() {
  if (reading_ > 0) return;
  extents_.clear();
  for (OpenFile& file : files_) close(file);
  std::erase_if(files_, [](const OpenFile& file) { return file.wishes.empty(); });
}

uint64_t ExtentReader::bytes() const {
  uint64_t sum = 0;
  for (const auto& extent : extents_) sum += extent->buffer.capacity();
  return sum;
}

// --- files ---------------------------------------------------------------------------------------

ExtentReader::OpenFile* ExtentReader::find_file(Position position) {
  const auto found = std::ranges::find_if(files_, [&](const OpenFile& file) {
    return file.journal == position.journal() && file.segment == position.segment();
  });
  return found == files_.end() ? nullptr : &*found;
}

void ExtentReader::open_for(const Wish& wish) {
  drop_file_in_excess();
  OpenFile& file = files_.emplace_back(OpenFile{
      .journal = journal_of(wish.position), .segment = wish.position.segment(), .file = {}});
  file.wishes.push_back(wish);
  events_.on_file_wanted(file.journal, file.segment);
}

void ExtentReader::open_again(Wish wish) {
  wish.again = true;
  OpenFile* file = find_file(wish.position);
  if (file == nullptr) return open_for(wish);
  if (file->reads > 0) return read_for(wish);  // Others read from it: it is left as it is.
  const bool opening = !file->file.valid();
  close(*file);
  file->wishes.push_back(wish);
  if (!opening) events_.on_file_wanted(file->journal, file->segment);
}

void ExtentReader::close(OpenFile& file) {
  if (file.file.valid()) events_.on_file_unused(std::exchange(file.file, {}));
}

void ExtentReader::drop_file_in_excess() {
  if (files_.size() < options_.files_max) return;
  auto oldest = files_.end();
  for (auto file = files_.begin(); file != files_.end(); ++file) {
    if (!file->file.valid() || file->reads > 0) continue;
    if (oldest == files_.end() || file->used < oldest->used) oldest = file;
  }
  if (oldest == files_.end()) return;  // All are in use: more than planned for a moment.
  close(*oldest);
  files_.erase(oldest);
}

void ExtentReader::on_file(uint16_t journal, uint32_t segment, Result<io::File> opened) {
  const auto found = std::ranges::find_if(files_, [&](const OpenFile& file) {
    return file.journal == journal && file.segment == segment;
  });
  RINGPOST_ASSERT(found != files_.end());
  RINGPOST_ASSERT(!found->file.valid());
  const std::vector<Wish> wishes = std::exchange(found->wishes, {});
  if (!opened) {
    const Error error = opened.error();
    files_.erase(found);
    for (const Wish& wish : wishes) answer(wish, error);
    return;
  }
  found->file = *opened;
  found->used = ++clock_;
  for (const Wish& wish : wishes) serve(wish);
}

}  // namespace ringpost::journal
