#include "control/forward_reader.h"

#include "base/assert.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace ringpost::control {

using journal::EventView;
using journal::Position;

namespace {

/// Of one journal, read at a time.
constexpr uint32_t piece_bytes = 64 * 1024;
constexpr size_t piece_events_max = 256;
/// Of all journals, in one call.
constexpr int pieces_max = 8;

constexpr uint32_t offset_last = (1u << Position::offset_bits) - 8;

Position beginning(uint32_t journal, uint32_t segment) {
  return Position::make(journal, segment, 0);
}

/// Takes a number off the front of `text`, and what follows it.
std::optional<uint64_t> take_number(std::string_view& text, char behind) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.empty() && behind == ' ') return number;
  if (text.empty() || text.front() != behind) return std::nullopt;
  text.remove_prefix(1);
  return number;
}

}  // namespace

std::string to_text(const ForwardPlaces& places) {
  std::string text;
  for (const auto& [journal, place] : places) {
    if (!text.empty()) text += ' ';
    text += std::to_string(journal) + ':' + std::to_string(place.reached.packed) + ':' +
            std::to_string(place.passed);
  }
  return text;
}

std::optional<ForwardPlaces> parse_forward_places(std::string_view text) {
  ForwardPlaces places;
  while (!text.empty()) {
    const auto journal = take_number(text, ':');
    const auto packed = journal ? take_number(text, ':') : std::nullopt;
    const auto passed = packed ? take_number(text, ' ') : std::nullopt;
    if (!passed) return std::nullopt;
    const Position reached{*packed};
    if (reached.journal() != *journal || reached.segment() == 0) return std::nullopt;
    places[reached.journal()] = {reached, *passed};
  }
  return places;
}

void ForwardReader::on_event(const EventView& event, Position position) {
  Told& told = told_[position.journal()];
  if (!told.first.valid()) told.first = position;
  told.last = std::max(told.last, position);
  newest_ = std::max(newest_, event.uid);
}

/// Of a journal that was not written since the start: where it will be written, or its end.
ForwardPlaces ForwardReader::ends() const {
  struct Bounds {
    uint32_t first_open = 0;
    uint32_t last = 0;
  };
  std::map<uint32_t, Bounds> bounds;
  for (const JournalAccess::Segment& segment : journals_.segments()) {
    auto& [first_open, last] = bounds[segment.journal];
    last = std::max(last, segment.number);
    if (!segment.open) continue;
    first_open = first_open == 0 ? segment.number : std::min(first_open, segment.number);
  }
  ForwardPlaces ends;
  for (const auto& [journal, bound] : bounds) {
    const auto told = told_.find(journal);
    const bool is_open = bound.first_open != 0;
    Position reached =
        Position::make(journal, is_open ? bound.first_open : bound.last, is_open ? 0 : offset_last);
    if (told != told_.end()) reached = told->second.last;
    const uint64_t passed =
        reached.offset() == 0
            ? 0
            : history_.event_count(static_cast<uint16_t>(journal), reached.segment());
    ends[journal] = {reached, passed};
  }
  return ends;
}

void ForwardReader::begin(ForwardPlaces places) {
  reading_.clear();
  for (const auto& [journal, place] : places) {
    reading_[journal] = {.read = place, .taken = place, .queue = {}};
  }
  complete_ = false;
}

// --- reading -------------------------------------------------------------------------------------

Result<bool> ForwardReader::read(const Wants& wants, Instant now) {
  look(now);
  const ForwardPlaces ends = this->ends();
  int pieces = 0;
  complete_ = false;
  for (const auto& [number, end] : ends) {
    Journal& journal = journal_of(number);
    if (journal.read.reached > end.reached &&
        journal.read.reached.segment() > end.reached.segment()) {
      journal.read = journal.taken = end;  // The relay was restored from an older backup.
    }
    while (journal.queue.empty() && journal.read.reached < end.reached) {
      if (pieces++ == pieces_max) return true;
      if (!find_segment(journal, end.reached)) break;
      if (auto read = read_piece(journal, end.reached, wants); !read) return read.error();
    }
  }
  complete_ = true;
  return false;
}

/// One that nobody asked for yet is read from its beginning.
ForwardReader::Journal& ForwardReader::journal_of(uint32_t number) {
  const auto [place, added] = reading_.try_emplace(number);
  Journal& journal = place->second;
  if (added) journal.read = journal.taken = {beginning(number, journals_.oldest(number)), 0};
  return journal;
}

/// Moves on to a segment that is there. @returns false if there is none up to `end`.
bool ForwardReader::find_segment(Journal& journal, Position end) {
  Position& reached = journal.read.reached;
  uint32_t next = 0;
  for (const JournalAccess::Segment& segment : journals_.segments()) {
    if (segment.journal != end.journal() || segment.number < reached.segment()) continue;
    next = next == 0 ? segment.number : std::min(next, segment.number);
  }
  if (next == 0 || next > end.segment()) {
    journal.read = {end, 0};
    return false;
  }
  if (next == reached.segment()) return true;
  // Segments that were never written are not there either.
  if (reached.segment() < journals_.oldest(end.journal())) gap_ = true;
  journal.read = {beginning(end.journal(), next), 0};
  return journal.read.reached < end;
}

Result<void> ForwardReader::read_piece(Journal& journal, Position end, const Wants& wants) {
  uint64_t passed = journal.read.passed;
  size_t visited = 0;
  const auto passage = journals_.pass_events(
      journal.read.reached, end, piece_bytes, [&](const EventView& event, Position position) {
        ++passed;
        if (wants(event)) journal.queue.push_back(forward_item(event, position, passed));
        return ++visited < piece_events_max;
      });
  if (!passage && passage.error().code != Errc::not_found) {
    journal.queue.clear();
    return passage.error();
  }
  if (!passage) gap_ = true;
  journal.read.passed = passed;
  if (passage) journal.read.reached = passage->reached;
  if (passage && !passage->at_end) return {};
  const bool is_last = journal.read.reached.segment() == end.segment();
  if (is_last) {
    journal.read.reached = end;
  } else {
    journal.read = {beginning(end.journal(), journal.read.reached.segment() + 1), 0};
  }
  return {};
}

// --- giving --------------------------------------------------------------------------------------

/// What was told before the last look is settled: whatever came before it was told by now.
void ForwardReader::look(Instant now) {
  if (now - seen_at_ < settle_time) return;
  settled_ = seen_;
  seen_ = newest_;
  seen_at_ = now;
}

std::optional<Instant> ForwardReader::due() const {
  if (first() == nullptr || next() != nullptr) return std::nullopt;
  return seen_at_ + settle_time;
}

const ForwardReader::Journal* ForwardReader::first() const {
  const Journal* first = nullptr;
  for (const auto& [number, journal] : reading_) {
    if (journal.queue.empty()) continue;
    if (first == nullptr || journal.queue.front().uid < first->queue.front().uid) first = &journal;
  }
  return first;
}

/// One of an earlier run always is, and so is everything where there is one journal.
bool ForwardReader::is_settled(const ForwardItem& item) const {
  if (reading_.size() == 1 || item.uid <= settled_) return true;
  const auto told = told_.find(item.position.journal());
  return told == told_.end() || item.position < told->second.first;
}

const ForwardItem* ForwardReader::next() const {
  if (!complete_) return nullptr;
  const Journal* journal = first();
  if (journal == nullptr || !is_settled(journal->queue.front())) return nullptr;
  return &journal->queue.front();
}

ForwardItem ForwardReader::take() {
  const ForwardItem* item = next();
  RINGPOST_ASSERT(item != nullptr);
  Journal& journal = reading_.at(item->position.journal());
  ForwardItem taken = std::move(journal.queue.front());
  journal.queue.pop_front();
  if (journal.taken.reached < taken.position) journal.taken = {taken.position, taken.nth};
  complete_ = !journal.queue.empty();  // Else there may be an earlier one that was not read.
  return taken;
}

ForwardPlaces ForwardReader::taken() const {
  ForwardPlaces places;
  for (const auto& [number, journal] : reading_) {
    places[number] = journal.queue.empty() ? journal.read : journal.taken;
  }
  return places;
}

// --- what is behind ------------------------------------------------------------------------------

uint64_t ForwardReader::count_behind(const ForwardPlaces& places) const {
  uint64_t count = 0;
  for (const JournalAccess::Segment& segment : journals_.segments()) {
    const auto place = places.find(segment.journal);
    const uint32_t reached = place != places.end() ? place->second.reached.segment() : 0;
    if (segment.number < reached) continue;
    const uint64_t events =
        history_.event_count(static_cast<uint16_t>(segment.journal), segment.number);
    const uint64_t passed = segment.number == reached ? place->second.passed : 0;
    count += events - std::min(events, passed);
  }
  return count;
}

bool ForwardReader::needs(const ForwardPlaces& places, uint32_t journal, uint32_t segment) const {
  const auto place = places.find(journal);
  const ForwardPlaces ends = this->ends();
  const auto end = ends.find(journal);
  if (end == ends.end()) return false;
  if (place == places.end()) return end->second.reached > beginning(journal, 0);
  const Position reached = place->second.reached;
  return reached.segment() <= segment && reached < end->second.reached;
}

uint64_t ForwardReader::skip(uint32_t number, uint32_t segment, const Wants& wants) {
  Journal& journal = journal_of(number);
  const ForwardPlace behind{beginning(number, segment + 1), 0};
  for (ForwardItem& item : journal.queue) item.only_here |= item.position < behind.reached;
  if (journal.taken.reached < behind.reached) journal.taken = behind;
  if (journal.read.reached >= behind.reached) return 0;
  uint64_t count = 0;
  Position from = std::max(journal.read.reached, beginning(number, segment));
  const Position end = Position::make(number, segment, offset_last);
  const auto visit = [&](const EventView& event, Position) {
    count += wants(event) ? 1 : 0;
    return true;
  };
  for (bool at_end = false; !at_end;) {
    const auto passage = journals_.pass_events(from, end, 1u << 30, visit);
    at_end = !passage || passage->at_end || passage->reached == from;
    if (passage) from = passage->reached;
  }
  journal.read = behind;
  return count;
}

uint64_t ForwardReader::count_only_here() const {
  uint64_t count = 0;
  for (const auto& [number, journal] : reading_) {
    count += static_cast<uint64_t>(std::ranges::count_if(journal.queue, &ForwardItem::only_here));
  }
  return count;
}

}  // namespace ringpost::control
