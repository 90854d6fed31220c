#pragma once

#include "subscription/webhook.h"

#include <string>
#include <vector>

namespace ringpost::control {

/// Why a webhook never gets an event, or none with a branch, as it is now: whole sentences that say
/// how to mend it. Nothing is wrong with such a webhook, and no API refuses it; but whoever made it
/// waits in vain. Empty: nothing is known that prevents deliveries.
/// @param organization_sends  whether a token may send events for the webhook's organization.
std::vector<std::string> warnings_of(const subscription::Webhook& webhook, bool organization_sends);

}  // namespace ringpost::control
