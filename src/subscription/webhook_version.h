#pragma once

#include "base/clock.h"

#include <cstdint>

namespace ringpost::subscription {

/// One version of a webhook. What a receiver did says something of the webhook as it was when the
/// attempt began: by the time that others hear of it, the webhook may lead to somebody else.
struct WebhookVersion {
  uint32_t number = 0;
  WallTime updated_at{};
};

}  // namespace ringpost::subscription
