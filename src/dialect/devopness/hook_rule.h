#pragma once

#include "subscription/event_rule.h"
#include "subscription/webhook.h"

#include <memory>
#include <string>

namespace ringpost::dialect::devopness {

/// What an outgoing hook asks of an event beyond its source (specification, section 5): that it is
/// an action's change to a status that the hook wants to hear of, the action type if the hook
/// belongs to a resource, and the conditions. An incoming hook wants none.
std::unique_ptr<const subscription::EventRule> make_hook_rule(const subscription::Webhook& webhook);

/// As Dialect::why_nothing_matches.
std::string why_no_action_matches(const subscription::Webhook& webhook);

}  // namespace ringpost::dialect::devopness
