#pragma once

#include "journal/record.h"
#include "json/document.h"
#include "subscription/snapshot.h"

#include <string>
#include <vector>

namespace ringpost::dialect {

/// Finds the webhooks that an event goes to. Keeps its parsers' memory between events: one for each
/// thread that matches.
class Matcher {
 public:
  /// Appends the active webhooks that want the event, each once, by rising number. `event` needs
  /// its organization, source, type, branch, extensions and data.
  /// @param sender  whose event it is; null: the relay's own. What the data calls the event's
  /// source
  ///                counts only where the sender may send events of a source of that name.
  void match(const subscription::Snapshot& snapshot, const journal::EventView& event,
             const subscription::Token* sender, std::vector<const subscription::Webhook*>& out);

 private:
  json::Document data_;
  json::Document extensions_;
  std::vector<std::string> aliases_;
};

}  // namespace ringpost::dialect
