#pragma once

#include "api/answer.h"
#include "api/call.h"
#include "api/management.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "subscription/webhook.h"

#include <string_view>

namespace ringpost::dialect::devopness {

/// The types of the events for the calls of incoming hooks. The first goes to those who
/// subscribed to it, a scheduler above all; the second only into the hook's log.
inline constexpr std::string_view triggered_type = "hook.triggered";
inline constexpr std::string_view not_triggered_type = "hook.not_triggered";

/// Whether `header` is the HMAC-SHA256 of `body` under the webhook's secret, or under the one
/// before while that is good: `sha256=` and 64 hexadecimal digits, or the digits alone, in any
/// case. Takes the same time wherever a wrong one differs.
bool signed_by(const subscription::Webhook& webhook, std::string_view header, Bytes body,
               WallTime now);

/// A call of an incoming hook, by anybody who knows its id: checks it, reads the variables and
/// accepts the event that starts the pipeline.
///
///   id ─> active ─> signature ─> JSON ─> conditions ─> variables ─> event, durable ─> 200
api::Answer trigger(const api::Call& call, api::Management& management);

}  // namespace ringpost::dialect::devopness
