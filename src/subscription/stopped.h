#pragma once

#include "subscription/webhook.h"

#include <string_view>

namespace ringpost::subscription {

/// Webhook::state_reason of a webhook that a 410 disabled. No person's reason is the same.
inline constexpr std::string_view reason_gone = "the endpoint answered 410 Gone";

/// Whether the webhook was stopped for what its endpoint did, and not because a person said so:
/// an API that shows no state starts it again when it is mended.
inline bool stopped_by_endpoint(const Webhook& webhook) {
  return webhook.state == WebhookState::broken ||
         (webhook.state == WebhookState::disabled && webhook.state_reason == reason_gone);
}

}  // namespace ringpost::subscription
