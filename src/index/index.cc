#include "index/index.h"

#include "base/assert.h"
#include "index/file_image.h"
#include "index/rebuild.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ringpost::index {

using journal::Finding;

Index::Index(io::Disk& disk, const Options& options, Report report)
    : disk_(disk),
      options_(options),
      report_(std::move(report)),
      hash_(options.directory_id),
      files_(disk) {}

Index::Key Index::key_of(uint16_t journal, uint32_t segment) {
  return Position::make(journal, segment, 0).packed;
}

Index::Segment& Index::at(uint16_t journal, uint32_t segment) {
  const auto found = segments_.find(key_of(journal, segment));
  RINGPOST_ASSERT(found != segments_.end());
  return found->second;
}

void Index::say(Finding::Kind kind, uint16_t journal, uint32_t segment, std::string text) {
  report_({kind, index_path(options_.journal_directory, journal, segment), 0, 0, std::move(text)});
}

// --- segments that are there ---------------------------------------------------------------------

Result<void> Index::adopt(uint16_t journal, uint32_t segment) {
  const auto opened = open(journal, segment, true);
  if (opened || !is_of_no_use(opened.error())) return opened;
  return make_again(journal, segment, opened.error(), true);
}

Result<void> Index::open(uint16_t journal, uint32_t segment, bool earlier) {
  auto part = FilePart::open(files_, options_.journal_directory, options_.directory_id, journal,
                             segment, earlier);
  if (!part) return part.error();
  FilePart* const file = part->get();
  put({.part = std::move(*part), .file = file, .earlier = earlier});
  return {};
}

namespace {

std::string reason(const Error& why) {
  if (why.code == Errc::not_found) return "there is no index of this segment";
  if (why.code == Errc::unsupported) return "the index is of another format";
  if (why.code == Errc::corrupt) return "the index does not match its checksums";
  return "the index cannot be read (" + describe(why) + ")";
}

}  // namespace

/// From the segment. That an index was never written is no fault: a crash may have come before.
Result<void> Index::make_again(uint16_t journal, uint32_t segment, const Error& why, bool earlier) {
  auto part = read_segment(disk_, options_.journal_directory, options_.directory_id, journal,
                           segment, earlier);
  if (!part) {
    say(Finding::Kind::damage, journal, segment,
        reason(why) + ", and the segment cannot be read either (" + describe(part.error()) +
            "): its events are not shown");
    return part.error();
  }
  const auto image = make_image(**part, options_.directory_id);
  auto done = write_image(disk_, options_.journal_directory, **part, image);
  if (done) done = open(journal, segment, earlier);
  const bool expected = why.code == Errc::not_found || why.code == Errc::unsupported;
  const auto kind = expected ? Finding::Kind::note : Finding::Kind::damage;
  if (done) {
    say(kind, journal, segment, reason(why) + "; it was made again from the segment");
    return {};
  }
  say(kind, journal, segment,
      reason(why) + ", and it cannot be written again (" + describe(done.error()) + ")");
  if (rebuilt_in_memory() >= rebuilt_in_memory_max) return done;
  OpenPart* const open = part->get();
  put({.part = std::move(*part), .open = open, .earlier = earlier});
  return {};
}

size_t Index::rebuilt_in_memory() const {
  return static_cast<size_t>(std::ranges::count_if(
      in_memory_, [&](const OpenPart* part) { return !segments_.at(key_of(*part)).begun; }));
}

namespace {

/// Fewer segments are as well asked one by one.
constexpr int grouped_segments_min = 4;

}  // namespace

SegmentMask Index::wants_ids(uint16_t journal, uint32_t last) const {
  SegmentMask present = 0;
  const auto end = segments_.upper_bound(key_of(journal, last));
  for (auto at = segments_.lower_bound(key_of(journal, first_of_group(last))); at != end; ++at) {
    if (at->second.file == nullptr) return 0;
    present |= mask_of(at->second.part->segment());
  }
  if (std::popcount(present) < grouped_segments_min) return 0;
  const auto group = id_groups_.find(key_of(journal, last));
  const SegmentMask covered = group == id_groups_.end() ? 0 : group->second.segments();
  return (present & ~covered) == 0 ? 0 : present;
}

Result<void> Index::open_ids(uint16_t journal, uint32_t last) {
  auto group = IdGroup::open(disk_, group_key(journal, last));
  if (!group) return group.error();
  id_groups_.insert_or_assign(key_of(journal, last), std::move(*group));
  const auto end = segments_.upper_bound(key_of(journal, last));
  for (auto at = segments_.lower_bound(key_of(journal, first_of_group(last))); at != end; ++at) {
    if (at->second.file != nullptr) release_ids(*at->second.file);
  }
  return {};
}

/// If those of its segment are in a file of ids.
void Index::release_ids(FilePart& file) {
  const auto group = id_groups_.find(key_of(file.journal(), last_of_group(file.segment())));
  if (group == id_groups_.end() || (group->second.segments() & mask_of(file.segment())) == 0) {
    return;
  }
  file_parts_bytes_ -= file.memory_bytes();
  file.release_ids();
  file_parts_bytes_ += file.memory_bytes();
}

/// A segment has gone: if it was the last of its group, the group goes.
void Index::forget_ids(uint16_t journal, uint32_t segment) {
  const uint32_t last = last_of_group(segment);
  const auto rest = segments_.lower_bound(key_of(journal, first_of_group(segment)));
  if (rest == segments_.end() || rest->first > key_of(journal, last)) {
    id_groups_.erase(key_of(journal, last));
  }
}

Result<void> Index::remove_leftovers(uint16_t journal) {
  const std::string directory = journal::journal_path(options_.journal_directory, journal);
  const auto names = disk_.list(directory);
  if (!names && names.error().code == Errc::not_found) return {};
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const auto segment = journal::parse_index_name(name);
    if (!segment) continue;
    const Key key = key_of(journal, *segment);
    if (name == journal::index_name(*segment) && segments_.contains(key)) continue;
    if (name == ids_name(*segment) && id_groups_.contains(key)) continue;
    if (auto removed = disk_.remove(directory + '/' + name); !removed) return removed;
  }
  return {};
}

void Index::put(Segment segment) {
  const Key key = key_of(*segment.part);
  forget(key);
  if (segment.file != nullptr) {
    file_parts_bytes_ += segment.file->memory_bytes();
    release_ids(*segment.file);
    if (segment.file->has_events()) {
      const auto place = std::ranges::upper_bound(by_newest_, segment.file->newest(),
                                                  std::greater{}, &Part::newest);
      by_newest_.insert(place, segment.file);
    }
  }
  if (segment.open != nullptr) in_memory_.push_back(segment.open);
  segments_[key] = std::move(segment);
  keep_memory_max();
}

void Index::forget(Key key) {
  const auto found = segments_.find(key);
  if (found == segments_.end()) return;
  if (const FilePart* file = found->second.file) {
    file_parts_bytes_ -= file->memory_bytes();
    std::erase(by_newest_, file);
  }
  std::erase(in_memory_, found->second.open);
  segments_.erase(found);
}

// --- memory --------------------------------------------------------------------------------------

uint64_t Index::event_count(uint16_t journal, uint32_t segment) const {
  const auto found = segments_.find(key_of(journal, segment));
  return found == segments_.end() ? 0 : found->second.part->event_count();
}

uint64_t Index::memory_bytes() const {
  constexpr uint64_t entry_bytes = 112;  // Of segments_, and by_newest_.
  constexpr uint64_t group_bytes = 192;  // Of id_groups_.
  uint64_t bytes = file_parts_bytes_ + segments_.size() * entry_bytes + files_.memory_bytes() +
                   id_groups_.size() * group_bytes + unrecorded_.size() * (sizeof(Unrecorded) + 32);
  for (const OpenPart* part : in_memory_) bytes += part->memory_bytes();
  return bytes;
}

void Index::keep_memory_max() {
  uint64_t bytes = memory_bytes();
  while (bytes > options_.memory_max) {
    FilePart* const largest = largest_in_memory();
    if (largest == nullptr) return;
    const uint64_t before = largest->memory_bytes();
    if (!largest->fold_a_filter()) return;
    bytes -= before - largest->memory_bytes();
    file_parts_bytes_ -= before - largest->memory_bytes();
  }
}

FilePart* Index::largest_in_memory() const {
  FilePart* largest = nullptr;
  for (const auto& [key, segment] : segments_) {
    if (segment.file == nullptr) continue;
    if (largest == nullptr || segment.file->memory_bytes() > largest->memory_bytes()) {
      largest = segment.file;
    }
  }
  return largest;
}

// --- segments that are written -------------------------------------------------------------------

void Index::begin(uint16_t journal, uint32_t segment) {
  auto part = std::make_unique<OpenPart>(journal, segment, hash_, false);
  OpenPart* const open = part.get();
  put({.part = std::move(part), .open = open, .begun = true});
}

void Index::on_event(const journal::EventView& event, Position position) {
  Segment& segment = at(static_cast<uint16_t>(position.journal()), position.segment());
  RINGPOST_ASSERT(segment.begun);
  segment.open->add(event, position);
  if (event.is_carried()) move_unrecorded(event, position);
}

void Index::on_outcome(const Outcome& outcome, Position place) {
  if (!outcome.record.valid()) return keep_unrecorded({outcome, place});
  Segment& segment = at(static_cast<uint16_t>(outcome.record.journal()), outcome.record.segment());
  RINGPOST_ASSERT(segment.begun);
  segment.open->add(outcome);
}

/// The newest of each delivery: so there are no more than deliveries that were pending.
void Index::keep_unrecorded(const Unrecorded& unrecorded) {
  const DeliveryKey& key = unrecorded.outcome.delivery;
  const auto [first, last] = unrecorded_.equal_range(key.hash());
  const auto known = std::find_if(
      first, last, [&](const auto& entry) { return entry.second.outcome.delivery == key; });
  if (known != last) {
    known->second = unrecorded;
  } else {
    unrecorded_.emplace(key.hash(), unrecorded);
  }
}

/// The event was carried forward: what is known of the deliveries that its record is for goes with
/// that. What had ended before is not asked for any more.
void Index::move_unrecorded(const journal::EventView& event, Position place) {
  if (unrecorded_.empty()) return;
  for (uint32_t which = 0; which < event.webhook_count(); ++which) {
    const DeliveryKey key{event.position(place), event.webhook_number(which)};
    const auto [first, last] = unrecorded_.equal_range(key.hash());
    for (auto one = first; one != last; ++one) {
      if (one->second.outcome.delivery == key) one->second.place = place;
    }
  }
}

std::shared_ptr<const OpenPart> Index::seal(uint16_t journal, uint32_t segment) {
  Segment& sealed = at(journal, segment);
  RINGPOST_ASSERT(sealed.begun);
  sealed.begun = false;
  return std::static_pointer_cast<const OpenPart>(sealed.part);
}

void Index::forget(uint16_t journal, uint32_t segment) {
  forget(key_of(journal, segment));
  forget_ids(journal, segment);
  std::erase_if(unrecorded_, [&](const auto& entry) {
    const Position place = entry.second.place;
    return place.journal() == journal && place.segment() == segment;
  });
  std::erase_if(replaced_, [&](uint64_t record) {
    return Position{record}.journal() == journal && Position{record}.segment() == segment;
  });
}

void Index::drop(uint16_t journal, uint32_t segment) {
  const auto found = segments_.find(key_of(journal, segment));
  if (found != segments_.end() && found->second.open != nullptr) forget(found->first);
}

uint64_t Index::delivery_count() const {
  uint64_t count = 0;
  for (const auto& [key, segment] : segments_) count += segment.part->delivery_count();
  return count;
}

void Index::set_settled_through(std::vector<uint32_t> segments) {
  settled_through_ = std::move(segments);
}

}  // namespace ringpost::index
