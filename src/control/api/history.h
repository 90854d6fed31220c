#pragma once

#include "api/call.h"
#include "api/problem.h"
#include "control/api/list_query.h"
#include "control/journal_access.h"
#include "control/visible_history.h"
#include "index/index.h"
#include "journal/record.h"
#include "subscription/webhook.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What the operations on events and deliveries have in common.

namespace ringpost::control {

/// What one page may cost: entries passed over, pages of index files read, and events read (of
/// which a token that is restricted to some sources may see few) with their bytes. A page that
/// stops here has fewer items than its limit, says that it was cut, and has a cursor to go on from.
class PageBudget {
 public:
  static constexpr uint32_t entries_max = 20'000;
  static constexpr uint64_t index_pages_max = 150;
  static constexpr uint32_t events_max = 1000;
  /// One event may be larger: each page gets on.
  static constexpr uint64_t event_bytes_max = 16 * 1024 * 1024;

  explicit PageBudget(const VisibleHistory& history)
      : history_(history), pages_end_(history.pages_read() + index_pages_max) {}

  uint32_t entries() const { return entries_; }
  uint64_t index_pages() const { return pages_end_ - std::min(pages_end_, history_.pages_read()); }
  void note_entries(uint32_t passed) { entries_ -= std::min(entries_, passed); }
  bool spent() const { return entries_ == 0 || index_pages() == 0; }

  bool may_read_event() const { return events_ > 0 && event_bytes_ < event_bytes_max; }
  void note_event(uint64_t bytes) {
    events_ -= std::min<uint32_t>(events_, 1);
    event_bytes_ += bytes;
  }

 private:
  const VisibleHistory& history_;
  const uint64_t pages_end_;
  uint32_t entries_ = entries_max;
  uint32_t events_ = events_max;
  uint64_t event_bytes_ = 0;
};

/// Events of one id, each a read of the journal: how many are looked at.
inline constexpr size_t events_looked_at_max = 1000;

Problem no_delivery();
Problem history_unreadable(const Error& error);
/// What is not found may be in a segment that no index tells of yet.
std::optional<Problem> still_indexing(const JournalAccess& journals);
Problem unreadable(const Error& error);

// What belongs to another organization, or to a source that the token may not touch, looks unknown.

bool may_see(const subscription::Token& token, const subscription::Webhook& webhook);
bool may_see(const subscription::Token& token, const journal::EventView& event);
inline bool may_see(const api::Call& call, const subscription::Webhook& webhook) {
  return may_see(*call.token, webhook);
}
inline bool may_see(const api::Call& call, const journal::EventView& event) {
  return may_see(*call.token, event);
}

/// What `filter` says of a delivery's event and of its end, to be narrowed to a part of the list.
index::PageQuery page_query(const DeliveryFilter& filter, const index::TextHash& hash);
/// Whether the event is meant: the index knows only hashes of types and sources, and times in whole
/// milliseconds.
bool is_meant(const DeliveryFilter& filter, const journal::EventView& event);

/// Whether the event repeats this delivery; nothing: any event does.
bool is_repeat_of(const journal::EventView& event, const std::optional<Ulid>& delivery);

/// Whether `text` is in `bytes`; ASCII letters match in either case.
bool contains_text(Bytes bytes, std::string_view text);

/// An event that came without an id has one of the relay's, which may be spelled as a UUID: the
/// other spelling, or `id` itself.
std::string other_spelling(const std::string& id);

}  // namespace ringpost::control
