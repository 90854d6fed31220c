#pragma once

#include "dialect/dialect.h"
#include "load/event_maker.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

// What webhooks have to be like, so that those of every dialect get the events of a run, and their
// requests carry the mark.

namespace ringpost::load {

/// The dialects that can be put under load: those with requests that carry an event's mark. What
/// `git-status` sends is one line about a build.
std::vector<const dialect::Dialect*> sink_dialects();

/// The dialect's settings, a JSON object; empty: it needs none.
std::string sink_settings(const dialect::Dialect& dialect, std::string_view run);

/// The patterns to subscribe to: these, or all events where the dialect has its own names of them.
std::vector<std::string> sink_events(const dialect::Dialect& dialect,
                                     std::vector<std::string> patterns);

/// Whether the requests of the dialect are made from an action's data and not from any other.
bool needs_action(const dialect::Dialect& dialect);

/// Whether a webhook of the dialect gets such an event.
/// @param data  a JSON object.
bool gets(const dialect::Dialect& dialect, std::string_view type, std::string_view data);

/// An event type that webhooks of all these dialects get; one that they know by name, if there is
/// one. At least one dialect.
std::string type_for(std::span<const dialect::Dialect* const> dialects);

}  // namespace ringpost::load
