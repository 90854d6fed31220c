#pragma once

#include "api/call.h"
#include "base/json_writer.h"
#include "control/api/history.h"
#include "control/api/list_query.h"
#include "control/journal_access.h"
#include "control/visible_history.h"
#include "control/webhook_registry.h"
#include "index/index.h"
#include "journal/record.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::control {

/// Writes the members of an event but its data; the object stays open.
void begin_event(JsonWriter& json, const journal::EventView& event);
/// Writes an event as lists show it.
void write_event_summary(JsonWriter& json, const journal::EventView& event);

/// One page of events in the making. Redeliveries are no events: they are shown with the one that
/// they repeat.
class EventPage {
 public:
  /// Writes an item: one value.
  using WriteItem = std::function<void(JsonWriter&, const journal::EventView&)>;

  struct Sources {
    const WebhookRegistry& registry;
    const VisibleHistory& history;
    JournalAccess& journals;
  };

  /// Borrows all of them.
  EventPage(const ListQuery& query, const api::Call& call, const Sources& sources,
            const WriteItem& write_item);

  /// Looks in the history. Errors as of index::Index::event_list.
  Result<void> fill();
  /// @param events  the newest first. @param facts  of each.
  void fill(const std::vector<index::EventFacts>& facts,
            const std::vector<journal::EventRef>& events);
  /// The answer's body. Ends the page.
  std::string finish();

 private:
  void add(const index::EventList& found);
  bool may_be_ours(const index::MatchedEvent& event) const;
  void add(const journal::EventView& event);

  const ListQuery& query_;
  const api::Call& call_;
  const WebhookRegistry& registry_;
  const VisibleHistory& history_;
  JournalAccess& journals_;
  const WriteItem& write_item_;
  PageBudget budget_;
  std::string body_;
  JsonWriter json_;
  uint32_t items_ = 0;
  std::optional<Ulid> rest_;  ///< Smaller uids; nothing: none are left.
  bool cut_ = false;
};

}  // namespace ringpost::control
