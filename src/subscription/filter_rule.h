#pragma once

#include "subscription/event_rule.h"
#include "subscription/webhook.h"

#include <memory>

namespace ringpost::subscription {

/// The rule of a webhook's filter; null for an empty filter. Its branch patterns and its condition
/// on data have passed the checks of BranchPatterns and DataCondition.
std::unique_ptr<const EventRule> make_filter_rule(const Filter& filter);

}  // namespace ringpost::subscription
