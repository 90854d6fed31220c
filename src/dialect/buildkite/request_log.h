#pragma once

#include "api/management.h"
#include "base/json_writer.h"
#include "subscription/webhook.h"

#include <cstddef>
#include <optional>
#include <string_view>

namespace ringpost::dialect::buildkite {

inline constexpr size_t logged_requests_max = 20;  ///< For each webhook, newest first.

/// Writes the newest requests to a webhook, with their answers: an array. Each request is one
/// attempt, and its id what `X-Buildkite-Request` said.
void write_request_log(JsonWriter& json, const subscription::Webhook& webhook,
                       api::Management& management);

/// The delivery that a request was an attempt of.
/// @param id  of the request, a UUID.
std::optional<api::LoggedDelivery> find_request(const subscription::Webhook& webhook,
                                                std::string_view id, api::Management& management);

}  // namespace ringpost::dialect::buildkite
