#include "control/set_aside.h"

#include "base/log.h"

#include <utility>

namespace ringpost::control {

Result<void> SetAside::load() {
  return count_again();
}

Result<void> SetAside::count_again() {
  const auto count = table_.count();
  if (!count) return count.error();
  const auto again = table_.marked_count();
  if (!again) return again.error();
  count_ = *count;
  again_count_ = *again;
  return {};
}

bool SetAside::put(const ForwardItem& item, uint16_t status, std::string reason, WallTime now) {
  if (item.set_aside_status) {
    const auto there = table_.contains(item.uid);
    if (there && !*there) return true;
  }
  log_warning("forward: event " + item.id + " of " + item.source + " is set aside: " + reason +
              "; see `ringpost forward list`");
  auto stored = table_.insert({.uid = item.uid,
                               .organization = item.organization,
                               .id = item.id,
                               .source = item.source,
                               .type = item.type,
                               .accepted_at = item.accepted_at,
                               .set_aside_at = now,
                               .status = status,
                               .reason = std::move(reason)});
  if (stored) stored = count_again();
  if (!stored) log_error("forward: it could not be stored: " + describe(stored.error()));
  return stored.has_value();
}

Result<uint64_t> SetAside::send_again(const SetAsideChoice& choice) {
  auto count = table_.mark(choice);
  if (auto counted = count_again(); !counted) return counted.error();
  return count;
}

Result<uint64_t> SetAside::drop(const SetAsideChoice& choice) {
  auto count = table_.remove(choice);
  if (auto counted = count_again(); !counted) return counted.error();
  return count;
}

void SetAside::remove(const ForwardItem& item) {
  auto removed = table_.remove(item.uid);
  if (removed) removed = count_again();
  if (removed) return;
  log_error("forward: that event " + item.id + " of " + item.source +
            " was sent could not be stored: " + describe(removed.error()));
}

Result<std::vector<ForwardItem>> SetAside::next(WallTime now) {
  std::vector<ForwardItem> items;
  const auto events = table_.marked(again_max);
  if (!events) return events.error();
  for (const SetAsideEvent& event : *events) {
    auto item = find(event);
    if (!item) return item.error();
    if (*item) {
      items.push_back(std::move(**item));
      continue;
    }
    SetAsideEvent gone = event;
    gone.again = false;
    gone.set_aside_at = now;
    gone.status = 0;
    gone.reason = "no journal has it any more (journal.retention_age, journal.retention_bytes)";
    if (auto stored = table_.insert(gone); !stored) return stored.error();
  }
  if (auto counted = count_again(); !counted) return counted.error();
  return items;
}

/// By its id: that leads to its place, wherever it was carried to.
Result<std::optional<ForwardItem>> SetAside::find(const SetAsideEvent& event) {
  const auto found =
      history_.events({.horizon = {}, .id_hash = history_.hash().of(event.organization, event.id)});
  if (!found) return found.error();
  for (const index::EventFacts& facts : found->items) {
    if (facts.uid != event.uid) continue;
    const auto read = journals_.read_event(facts.position);
    if (!read && read.error().code != Errc::not_found && read.error().code != Errc::corrupt) {
      return read.error();
    }
    if (!read) break;
    ForwardItem item = forward_item((*read)->view(), facts.position, 0);
    item.set_aside_status = event.status;
    item.maybe_sent_at = event.set_aside_at;
    return std::optional{std::move(item)};
  }
  return std::optional<ForwardItem>{};
}

}  // namespace ringpost::control
