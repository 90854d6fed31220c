#pragma once

#include "subscription/webhook.h"

#include <string>
#include <string_view>
#include <vector>

namespace ringpost::control {

/// The members, as the API calls them, in which two states of a webhook differ; for the audit log.
std::vector<std::string> changed_members(const subscription::Webhook& before,
                                         const subscription::Webhook& after);

/// The members in which a webhook that was just made differs from what its dialect gives; for the
/// audit log.
std::vector<std::string> members_set(const subscription::Webhook& made);

}  // namespace ringpost::control
