#include "control/retention.h"

#include "base/log.h"
#include "journal/position.h"

#include <algorithm>
#include <charconv>

namespace ringpost::control {

namespace {

constexpr std::string_view marks_name = "settled_marks";

}  // namespace

bool WallClockTrust::observe(WallTime wall, Instant now) {
  const Duration offset = wall.time_since_epoch() - now.time_since_epoch();
  const Duration change = offset > offset_ ? offset - offset_ : offset_ - offset;
  if (!steady_since_ || change > drift_max) {
    steady_since_ = now;
    offset_ = offset;
  }
  return now - *steady_since_ >= steady_for;
}

Retention::Retention(const Parts& parts, const Options& options)
    : ledger_(parts.ledger),
      carrier_(parts.carrier),
      history_(parts.history),
      journals_(parts.journals),
      store_(parts.store) {
  set_options(options);
}

void Retention::set_options(const Options& options) {
  options_ = options;
  ages_ = {.age = options.age, .special = {}};
  for (const auto& [organization, age] : options.organization_ages) {
    ages_.special.emplace(key_of_organization(organization), age);
  }
  carrier_.set_allowance(options.bytes);
}

Result<SettledMarks> Retention::load_marks() {
  const auto marks =
      read_settled_marks([this](std::string_view name) { return store_.meta(name); });
  if (marks) stored_marks_ = *marks;
  return marks;
}

bool Retention::step(WallTime wall_now, Instant now) {
  const bool wall_trusted = wall_clock_.observe(wall_now, now);
  const auto journal = carrier_.busy() ? std::nullopt : removable(wall_now, wall_trusted);
  if (journal) return remove(*journal);
  carry(wall_now, now, wall_trusted);
  return false;
}

/// Of the journals whose oldest segment is to go and cannot, the one with the oldest.
void Retention::carry(WallTime wall_now, Instant now, bool wall_trusted) {
  if (carrier_.due() && now < *carrier_.due()) return;
  std::optional<journal::Position> chosen;
  WallTime chosen_time = WallTime::max();
  for (uint32_t journal = 0; journal < ledger_.journal_count(); ++journal) {
    const SegmentLedger::Oldest oldest = ledger_.oldest(journal, ages_);
    if (oldest.segment == 0 || oldest.newest_record >= chosen_time) continue;
    if (!expired(journal, oldest, wall_now, wall_trusted)) continue;
    const auto segment = ledger_.to_carry(journal, ledger_.marks());
    if (!segment) continue;
    chosen = segment;
    chosen_time = oldest.newest_record;
  }
  if (chosen) carrier_.carry(*chosen, wall_now, now);
}

bool Retention::pending() const {
  for (uint32_t journal = 0; journal < ledger_.journal_count(); ++journal) {
    if (ledger_.oldest(journal).segment != 0) return true;
  }
  return false;
}

std::optional<uint32_t> Retention::removable(WallTime wall_now, bool wall_trusted) const {
  std::optional<uint32_t> oldest_journal;
  WallTime oldest_time = WallTime::max();
  for (uint32_t journal = 0; journal < ledger_.journal_count(); ++journal) {
    const SegmentLedger::Oldest oldest = ledger_.oldest(journal, ages_);
    if (oldest.segment == 0 || !oldest.settled) continue;
    if (!expired(journal, oldest, wall_now, wall_trusted)) continue;
    const bool spent = ledger_.outcomes_spent(journal, stored_marks_) ||
                       ledger_.outcomes_spent(journal, ledger_.marks());
    if (spent && oldest.newest_record < oldest_time) {
      oldest_journal = journal;
      oldest_time = oldest.newest_record;
    }
  }
  return oldest_journal;
}

bool Retention::expired(uint32_t journal, const SegmentLedger::Oldest& oldest, WallTime wall_now,
                        bool wall_trusted) const {
  if (journals_.bytes() > options_.bytes) return true;
  const bool aged = wall_trusted && wall_now > oldest.expires_at;
  return aged && !(reader_.needs && reader_.needs(journal, oldest.segment));
}

bool Retention::remove(uint32_t journal) {
  const uint64_t changes = store_.change_count();
  if (!ledger_.outcomes_spent(journal, stored_marks_) && !raise_marks()) return false;
  const uint32_t segment = ledger_.oldest(journal).segment;
  if (reader_.on_removing) reader_.on_removing(journal, segment);
  if (const auto noted = journals_.note_expiry(journal, segment + 1); !noted) {
    log_error("journal " + std::to_string(journal) + ": segment " + std::to_string(segment) +
              " cannot be removed: " + describe(noted.error()));
    return false;
  }
  if (store_.change_count() != changes) return true;  // The next step, when this is durable.
  journals_.expire(journal, segment + 1);
  history_.forget(static_cast<uint16_t>(journal), segment);
  ledger_.on_removed(journal, segment);
  return true;
}

/// Stores the marks, before anything goes that they stand for.
bool Retention::raise_marks() {
  SettledMarks marks = ledger_.marks();
  marks.resize(std::max(marks.size(), stored_marks_.size()));
  for (size_t journal = 0; journal < stored_marks_.size(); ++journal) {
    marks[journal] = std::max(marks[journal], stored_marks_[journal]);
  }
  if (const auto stored = store_.set_meta(marks_name, to_text(marks)); !stored) {
    log_error("could not remove old journal segments, because the control store failed: " +
              describe(stored.error()));
    return false;
  }
  stored_marks_ = std::move(marks);
  history_.set_settled_through(stored_marks_);
  return true;
}

Result<SettledMarks> read_settled_marks(const ReadMeta& meta) {
  const auto text = meta(marks_name);
  if (!text) return text.error();
  if (!*text) return SettledMarks{};
  const auto marks = parse_settled_marks(**text);
  if (!marks) return Error{Errc::corrupt, Side::disk};
  return *marks;
}

std::string to_text(const SettledMarks& marks) {
  std::string text;
  for (uint32_t mark : marks) {
    if (!text.empty()) text += ',';
    text += std::to_string(mark);
  }
  return text;
}

std::optional<SettledMarks> parse_settled_marks(std::string_view text) {
  SettledMarks marks;
  while (!text.empty()) {
    uint32_t mark = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mark);
    if (error != std::errc{} || marks.size() == journal::Position::journals_max) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (!text.empty() && (text.front() != ',' || text.size() == 1)) return std::nullopt;
    if (!text.empty()) text.remove_prefix(1);
    marks.push_back(mark);
  }
  return marks;
}

}  // namespace ringpost::control
