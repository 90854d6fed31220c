#include "journal/gap_audit.h"

#include "base/assert.h"

#include <algorithm>
#include <utility>

namespace ringpost::journal {
namespace {

std::optional<Fate> fate_at_end(DeliveryStatus status) {
  switch (status) {
    case DeliveryStatus::delivered: return Fate::delivered;
    case DeliveryStatus::dead: return Fate::dead;
    case DeliveryStatus::cancelled: return Fate::cancelled;
    case DeliveryStatus::pending:
    case DeliveryStatus::in_flight: break;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(Fate fate) {
  switch (fate) {
    case Fate::delivered: return "delivered";
    case Fate::dead: return "dead";
    case Fate::cancelled: return "cancelled";
    case Fate::pending: return "pending";
    case Fate::overdue: return "overdue";
    case Fate::expired: return "expired";
    case Fate::missing: return "missing";
  }
  RINGPOST_UNREACHABLE();
}

size_t GapAudit::Hash::operator()(const Key& key) const {
  constexpr uint64_t golden = 0x9E3779B97F4A7C15;  // Spreads neighbours.
  return (key.event.packed ^ (uint64_t{key.webhook_number} << 40)) * golden;
}

bool GapAudit::in_range(WallTime accepted_at) const {
  return (!options_.since || accepted_at >= *options_.since) &&
         (!options_.until || accepted_at < *options_.until);
}

/// What is before the first event of a journal may come yet: carried forward.
bool GapAudit::was_told(Position event) const {
  if (carried_.contains(event.packed)) return true;
  if (event.journal() >= told_.size()) return false;
  const Told& told = told_[event.journal()];
  return told.first.valid() && told.first <= event && event <= told.last;
}

void GapAudit::note_told(Position record) {
  if (told_.size() <= record.journal()) told_.resize(record.journal() + 1);
  Told& told = told_[record.journal()];
  if (!told.first.valid()) told.first = record;
  told.last = record;
}

void GapAudit::note_time(Position position, WallTime time) {
  if (time != WallTime{}) first_time_.try_emplace(position.journal(), time);
}

void GapAudit::count(uint32_t webhook_number, Fate fate) {
  const auto index = static_cast<size_t>(fate);
  ++total_[index];
  ++by_webhook_[webhook_number][index];
}

void GapAudit::on_event(Position position, const EventView& event) {
  note_time(position, event.is_carried() ? event.unpack_carried().at : event.accepted_at);
  const Position first = event.position(position);
  const bool known = event.is_carried() ? was_told(first) : carried_.contains(first.packed);
  note_told(position);
  if (event.is_carried()) carried_.insert(first.packed);
  if (known) return note_carried(position, event);  // It has been counted.
  const bool wanted = in_range(event.accepted_at);
  if (wanted) {
    ++events_;
    if (event.webhook_count() == 0) ++events_without_webhook_;
  }
  for (uint32_t index = 0; index < event.webhook_count(); ++index) {
    const Key key{first, event.webhook_number(index)};
    const auto [at, fresh] = courses_.try_emplace(key);
    Course& course = at->second;
    if (!wanted || course.end) {
      if (wanted) count(key.webhook_number, *course.end);
      courses_.erase(at);
      continue;
    }
    course.event_uid = event.uid;
    course.accepted_at = event.accepted_at;
    course.record = position;
  }
  if (event.is_carried()) note_carried(position, event);
}

/// What is pending of it is so by this record.
void GapAudit::note_carried(Position record, const EventView& event) {
  if (!event.is_carried()) return;
  const Carried carried = event.unpack_carried();
  for (uint32_t index = 0; index < event.webhook_count(); ++index) {
    const auto course = courses_.find({carried.origin, event.webhook_number(index)});
    if (course == courses_.end()) continue;
    const CarriedState& state = carried.states[index];
    course->second.record = std::max(course->second.record, record);
    if (state.attempts <= course->second.attempts) continue;
    course->second.attempts = state.attempts;
    course->second.next_attempt_at = state.next_attempt_at;
  }
}

void GapAudit::on_outcome(Position position, const OutcomeView& outcome) {
  note_time(position, outcome.started_at);
  const Key key{outcome.event, outcome.webhook_number};
  const bool told = was_told(outcome.event);
  auto found = courses_.find(key);
  if (found == courses_.end()) {
    if (told) return;  // Not in the range, or it has ended.
    found = courses_.try_emplace(key).first;
  }
  Course& course = found->second;
  course.end = fate_at_end(outcome.status);
  course.attempts = std::max(course.attempts, outcome.attempt);
  course.last_attempt_at = outcome.started_at;
  course.next_attempt_at = outcome.next_attempt_at;
  if (!told || !course.end) return;
  count(key.webhook_number, *course.end);
  courses_.erase(found);
}

/// Whether the record of its end may have been in a segment that is gone.
bool GapAudit::may_have_expired(const Course& course) const {
  return std::ranges::any_of(shortened_, [&](uint32_t journal) {
    const auto first = first_time_.find(journal);
    return first == first_time_.end() || first->second > course.accepted_at;
  });
}

Fate GapAudit::fate_of(const Course& course) const {
  const uint32_t journal = course.record.journal();
  const bool settled = journal < options_.settled_through.size() &&
                       course.record.segment() <= options_.settled_through[journal];
  if (settled) return may_have_expired(course) ? Fate::expired : Fate::missing;
  const WallTime due =
      std::max({course.accepted_at, course.last_attempt_at, course.next_attempt_at});
  return due + options_.overdue_after < options_.now ? Fate::overdue : Fate::pending;
}

void GapAudit::finish(const RecoveryReport& report,
                      const std::function<void(const OpenDelivery&)>& on_open) {
  for (const JournalEnd& journal : report.journals) {
    if (journal.oldest > 1) shortened_.push_back(journal.journal);
  }
  std::vector<std::pair<Key, Course>> open;
  for (const auto& [key, course] : courses_) {
    if (was_told(key.event)) open.emplace_back(key, course);  // Else its event has expired.
  }
  std::ranges::sort(open, {}, [](const auto& one) { return one.first; });
  for (const auto& [key, course] : open) {
    const Fate fate = fate_of(course);
    count(key.webhook_number, fate);
    on_open({.event_uid = course.event_uid,
             .accepted_at = course.accepted_at,
             .webhook_number = key.webhook_number,
             .attempts = course.attempts,
             .next_attempt_at = course.next_attempt_at,
             .fate = fate});
  }
}

}  // namespace ringpost::journal
