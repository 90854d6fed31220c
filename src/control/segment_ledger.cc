#include "control/segment_ledger.h"

#include "base/assert.h"

#include <algorithm>

namespace ringpost::control {

void NewestRecords::note(OrganizationKey organization, WallTime time) {
  newest_ = std::max(newest_, time);
  const auto known = std::ranges::find(known_, organization, [](auto& one) { return one.first; });
  if (known != known_.end()) {
    known->second = std::max(known->second, time);
  } else if (organization != OrganizationKey::unknown && known_.size() < organizations_max) {
    known_.emplace_back(organization, time);
  } else {
    others_ = std::max(others_, time);
  }
}

WallTime NewestRecords::expires_at(const RecordAges& ages) const {
  const auto end_of = [](WallTime time, Duration age) {
    return time > WallTime::max() - age ? WallTime::max() : time + age;
  };
  WallTime end = end_of(others_, ages.age);
  for (const auto& [organization, time] : known_) {
    end = std::max(end, end_of(time, ages.of(organization)));
  }
  return end;
}

void SegmentLedger::on_opened(uint32_t journal, uint32_t number) {
  segment(journal::Position::make(journal, number, 0));
}

void SegmentLedger::on_event(journal::Position event, WallTime accepted_at,
                             OrganizationKey organization) {
  Segment& home = segment(event);
  home.records.note(organization, accepted_at);
}

/// A record that is carried goes no sooner than what it replaces, as an outcome does.
void SegmentLedger::on_carried(journal::Position record, const journal::Carried& carried,
                               journal::Position before, OrganizationKey organization) {
  on_event(record, carried.at, organization);
  on_outcome(record, before, carried.at, organization);
  auto& floors = segment(record).floors;
  if (!floors) {
    floors = carried.floors;
    return;
  }
  floors->resize(std::min(floors->size(), carried.floors.size()));
  for (size_t journal = 0; journal < floors->size(); ++journal) {
    (*floors)[journal] = std::min((*floors)[journal], carried.floors[journal]);
  }
}

void SegmentLedger::add_pending(journal::Position record, uint32_t deliveries) {
  segment(record).pending += deliveries;
  pending_ += deliveries;
}

void SegmentLedger::settle(journal::Position record, uint32_t deliveries) {
  Segment& home = segment(record);
  RINGPOST_ASSERT(home.pending >= deliveries);
  home.pending -= deliveries;
  pending_ -= deliveries;
}

void SegmentLedger::on_outcome(journal::Position outcome, journal::Position event,
                               WallTime ended_at, OrganizationKey organization) {
  Segment& home = segment(outcome);
  home.records.note(organization, ended_at);
  if (home.outcomes_through.size() <= event.journal()) {
    home.outcomes_through.resize(event.journal() + 1);
  }
  uint32_t& through = home.outcomes_through[event.journal()];
  through = std::max(through, event.segment());
}

void SegmentLedger::on_sealed(uint32_t journal, uint32_t number) {
  segment(journal::Position::make(journal, number, 0)).sealed = true;
}

void SegmentLedger::on_removed(uint32_t journal, uint32_t number) {
  Journal& home = journals_[journal];
  RINGPOST_ASSERT(!home.segments.empty());
  RINGPOST_ASSERT(home.segments.begin()->first == number);
  RINGPOST_ASSERT(home.segments.begin()->second.pending == 0);
  home.segments.erase(home.segments.begin());
  home.mark = std::max(home.mark, number);
}

SegmentLedger::Oldest SegmentLedger::oldest(uint32_t journal, const RecordAges& ages) const {
  if (journal >= journals_.size() || journals_[journal].segments.empty()) return {};
  const auto& [number, segment] = *journals_[journal].segments.begin();
  if (!segment.sealed) return {};
  return {.segment = number,
          .newest_record = segment.records.newest(),
          .settled = segment.pending == 0,
          .expires_at = segment.records.expires_at(ages)};
}

SettledMarks SegmentLedger::marks() const {
  SettledMarks marks;
  marks.reserve(journals_.size());
  for (const Journal& journal : journals_) marks.push_back(mark_of(journal));
  return marks;
}

uint32_t SegmentLedger::mark_of(const Journal& journal) {
  uint32_t mark = journal.mark;
  for (const auto& [number, segment] : journal.segments) {
    if (!segment.sealed || segment.pending != 0) break;
    mark = number;
  }
  return mark;
}

bool SegmentLedger::outcomes_spent(uint32_t journal, const SettledMarks& durable) const {
  const auto& [own_number, oldest] = *journals_[journal].segments.begin();
  for (uint32_t other = 0; other < oldest.outcomes_through.size(); ++other) {
    const uint32_t through = oldest.outcomes_through[other];
    if (through == 0) continue;
    if (other == journal && through <= own_number) continue;
    if (other < durable.size() && through <= durable[other]) continue;
    const bool gone = other >= journals_.size() || journals_[other].segments.empty() ||
                      through < journals_[other].segments.begin()->first;
    if (!gone) return false;
  }
  return !holder_of(journal, durable);
}

/// The segment of a carried event's record that the oldest segment of `journal` has to stay for
/// (rule 3).
std::optional<journal::Position> SegmentLedger::holder_of(uint32_t journal,
                                                          const SettledMarks& durable) const {
  const uint32_t oldest = journals_[journal].segments.begin()->first;
  for (uint32_t other = 0; other < journals_.size(); ++other) {
    for (const auto& [number, segment] : journals_[other].segments) {
      if (!segment.floors || (other == journal && number == oldest)) continue;
      if (other < durable.size() && number <= durable[other]) continue;
      const bool newer = journal >= segment.floors->size() || oldest >= (*segment.floors)[journal];
      if (newer) return journal::Position::make(other, number, 0);
    }
  }
  return std::nullopt;
}

/// The first segment with something pending in a journal, up to `last`, if it is sealed.
std::optional<journal::Position> SegmentLedger::pending_through(journal::Position last) const {
  for (const auto& [number, segment] : journals_[last.journal()].segments) {
    if (number > last.segment() || !segment.sealed) break;
    if (segment.pending > 0) return journal::Position::make(last.journal(), number, 0);
  }
  return std::nullopt;
}

std::optional<journal::Position> SegmentLedger::to_carry(uint32_t journal,
                                                         const SettledMarks& durable) const {
  if (journals_[journal].segments.empty()) return std::nullopt;
  const uint32_t oldest = journals_[journal].segments.begin()->first;
  const auto own = pending_through(journal::Position::make(journal, oldest, 0));
  if (own) return own;
  const auto holder = holder_of(journal, durable);
  return holder ? pending_through(*holder) : std::nullopt;
}

std::vector<uint32_t> SegmentLedger::floors() const {
  std::vector<uint32_t> floors;
  floors.reserve(journals_.size());
  for (const Journal& journal : journals_) {
    uint32_t floor = journal.segments.empty() ? 1 : journal.segments.rbegin()->first + 1;
    for (auto last = journal.segments.rbegin(); last != journal.segments.rend(); ++last) {
      if (last->second.sealed) break;
      floor = last->first;
    }
    floors.push_back(floor);
  }
  return floors;
}

SegmentLedger::Segment& SegmentLedger::segment(journal::Position position) {
  if (journals_.size() <= position.journal()) journals_.resize(position.journal() + 1);
  return journals_[position.journal()].segments[position.segment()];
}

}  // namespace ringpost::control
