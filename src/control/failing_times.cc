#include "control/failing_times.h"

#include "base/log.h"
#include "control/store/store.h"

#include <string>

namespace ringpost::control {

Result<void> FailingTimes::load() {
  return store_.load_failing([this](uint32_t webhook_number, Duration before) {
    entries_.emplace(webhook_number, Entry{.before = before, .stored = true});
  });
}

void FailingTimes::begin(Instant now) {
  now_ = now;
  for (auto& [number, entry] : entries_) entry.since = now;
}

Duration FailingTimes::on_failure(uint32_t webhook_number, Instant now) {
  now_ = now;
  const auto [place, is_new] = entries_.try_emplace(webhook_number, Entry{.since = now});
  Entry& entry = place->second;
  if (!is_new && !entry.failing) {
    entry.failing = true;
    entry.before = Duration::zero();
    entry.since = now;
  }
  on_change(entry);
  return entry.before + (now - entry.since);
}

void FailingTimes::clear(uint32_t webhook_number) {
  const auto found = entries_.find(webhook_number);
  if (found == entries_.end()) return;
  if (!found->second.stored) {  // Nobody has written it down.
    entries_.erase(found);
    return;
  }
  found->second.failing = false;
  on_change(found->second);
}

void FailingTimes::on_change(Entry& entry) {
  entry.changed = true;
  if (!due_) due_ = now_ + write_interval;
}

bool FailingTimes::step(Instant now) {
  now_ = now;
  if (!due_ || *due_ > now) return false;
  auto next = entries_.lower_bound(next_to_write_);
  const auto written = store_.transaction([&] { return write(next); });
  if (!written) {
    log_warning("could not store since when webhooks have been failing; retrying in 5 minutes: " +
                describe(written.error()));
    due_ = now + write_interval;
    return false;
  }
  const bool more = next != entries_.end();
  next_to_write_ = more ? next->first : 0;
  if (!more) due_.reset();
  return more;
}

Result<void> FailingTimes::write(Entries::iterator& next) {
  for (size_t count = 0; next != entries_.end() && count < writes_at_once;) {
    auto& [number, entry] = *next;
    if (!entry.changed) {
      ++next;
      continue;
    }
    const Duration total = entry.failing ? entry.before + (now_ - entry.since) : Duration::zero();
    if (auto stored = store_.set_failing(number, total); !stored) return stored;
    ++count;
    entry.changed = false;
    entry.stored = entry.failing;
    next = entry.failing ? std::next(next) : entries_.erase(next);
  }
  return {};
}

}  // namespace ringpost::control
