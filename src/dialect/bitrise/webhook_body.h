#pragma once

#include "api/management.h"
#include "api/problem.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace ringpost::dialect::bitrise {

enum class Change : uint8_t { create, replace };

/// Reads the body of a create or update request into a webhook. `events` and `url` are required,
/// `headers` and `secret` are not; other members are passed over, as Bitrise does. A replacement
/// without headers has none; one without `secret` keeps the webhook's, as does a header that comes
/// back masked, as answers show credentials.
/// @returns what is wrong, the webhook then being half changed.
std::optional<api::Problem> read_webhook(std::string_view body, Change change,
                                         const api::Management& management,
                                         subscription::Webhook& webhook);

}  // namespace ringpost::dialect::bitrise
