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
  void match(const subscription::Snapshot& snapshot, const journal::EventView& event,
             std::vector<const subscription::Webhook*>& out);

 private:
  json::Document data_;
  json::Document extensions_;
  std::vector<std::string> aliases_;
};

}  // namespace ringpost::dialect
