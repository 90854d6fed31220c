#include "sim/ledger.h"

#include "base/assert.h"

#include <algorithm>

namespace ringpost::sim {

void Ledger::posted(const std::string& id, std::string_view content) {
  Entry& entry = entries_[id];
  RINGPOST_ASSERT(!entry.was_posted || entry.content == content);
  entry.was_posted = true;
  entry.content = content;
}

void Ledger::acknowledged(const std::string& id) {
  RINGPOST_ASSERT(entries_.contains(id));
  entries_[id].was_acknowledged = true;
}

void Ledger::refused(const std::string& id) {
  RINGPOST_ASSERT(entries_.contains(id));
  entries_[id].was_refused = true;
}

void Ledger::indeterminate(const std::string& id) {
  RINGPOST_ASSERT(entries_.contains(id));
  entries_[id].was_indeterminate = true;
}

void Ledger::delivered(const std::string& id, std::string_view content) {
  Entry& entry = entries_[id];
  ++entry.deliveries;
  if (entry.was_posted && entry.content != content) entry.was_altered = true;
}

void Ledger::accounted(const std::string& id) {
  entries_[id].was_accounted = true;
}

Ledger::Verdict Ledger::verdict() const {
  Verdict verdict;
  for (const auto& [id, entry] : entries_) {
    if (entry.lost()) verdict.lost.push_back(id);
    if (entry.phantom()) verdict.phantom.push_back(id);
    if (entry.was_altered) verdict.altered.push_back(id);
    verdict.duplicates += entry.deliveries > 1 ? entry.deliveries - 1 : 0;
  }
  return verdict;
}

size_t Ledger::posted_count() const {
  return static_cast<size_t>(
      std::ranges::count_if(entries_, [](const auto& entry) { return entry.second.was_posted; }));
}

size_t Ledger::acknowledged_count() const {
  return static_cast<size_t>(std::ranges::count_if(
      entries_, [](const auto& entry) { return entry.second.was_acknowledged; }));
}

std::string Ledger::Verdict::to_text() const {
  std::string text;
  const auto add = [&text](std::string_view title, const std::vector<std::string>& ids) {
    if (ids.empty()) return;
    text += text.empty() ? "" : "; ";
    text += title;
    for (const std::string& id : ids) text += " " + id;
  };
  add("lost:", lost);
  add("phantom:", phantom);
  add("altered:", altered);
  return text.empty() ? "clean" : text;
}

}  // namespace ringpost::sim
