#pragma once

#include "journal/record.h"
#include "json/document.h"
#include "subscription/snapshot.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ringpost::dialect {

/// Finds the webhooks that an event goes to: at once, or a part of them at a time, because an event
/// may have thousands of candidates and each may ask for much. Keeps its parsers' memory between
/// events: one for each thread that matches, or for each event under way.
class Matcher {
 public:
  /// The webhooks that want the event, each once, by rising number. `event` needs its organization,
  /// source, type, branch, extensions and data.
  /// @param sender  whose event it is; null: the relay's own. What the data calls the event's
  ///                source counts only where the sender may send events of a source of that name.
  /// @returns       their numbers, good until the next call.
  std::span<const uint32_t> match(const subscription::Snapshot& snapshot,
                                  const journal::EventView& event,
                                  const subscription::Token* sender);

  /// The same in parts: finds the candidates, and asks none of them yet. The texts that `event`
  /// views stay until `proceed` has returned true.
  void begin(const subscription::Snapshot& snapshot, const journal::EventView& event,
             const subscription::Token* sender);
  /// Asks candidates until all are asked or the work is used up.
  /// @param snapshot   `begin`'s in the same turn; in a later one whichever is in force then.
  /// @param work_left  in steps of a few nanoseconds; less by what was done. Above 0: one is asked.
  /// @returns          whether all are asked. `found` has those that want the event.
  bool proceed(const subscription::Snapshot& snapshot, int64_t& work_left);
  std::span<const uint32_t> found() const { return found_; }

  /// Why the event does not go to `webhook`, as a sentence without its full stop; empty: it does.
  /// Neither organization nor state is looked at. `webhook` may be one that is nowhere in force; it
  /// has its rule. Of the names that the event's data gives its source all count.
  std::string why_not(const subscription::Webhook& webhook, const journal::EventView& event);

 private:
  /// A webhook that names the event's source and type.
  struct Candidate {
    uint32_t number;
    bool has_rule;
  };

  void find_names(const journal::EventView& event, const subscription::Token* sender);

  json::Document data_;
  json::Document extensions_;
  std::vector<std::string> aliases_;
  std::optional<subscription::EventFacts> facts_;  ///< Of the event in hand, if there are rules.
  std::vector<const subscription::Webhook*> webhooks_;  ///< For `begin` alone.
  std::vector<Candidate> candidates_;
  size_t asked_ = 0;  ///< Of the candidates.
  std::vector<uint32_t> found_;
};

}  // namespace ringpost::dialect
