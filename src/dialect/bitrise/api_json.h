#pragma once

#include "api/management.h"
#include "base/json_writer.h"
#include "subscription/webhook.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

// The objects of Bitrise's API, as it writes them.

namespace ringpost::dialect::bitrise {

/// A webhook's item. Never holds the secret. What Bitrise has no words for (a filter, or types that
/// are not a whole group) is in an extension.
/// @param created  whether it answers the request that made the webhook: only then the headers that
///                 carry credentials show their values, which the client has just sent.
void write_webhook(JsonWriter& json, const subscription::Webhook& webhook, bool created = false);

/// A delivery's item. Headers are a JSON object in a string; `response_*` are null until an answer
/// came, and for ever if none does.
void write_delivery(JsonWriter& json, const api::LoggedDelivery& delivery,
                    const subscription::Webhook& webhook);

/// @param next  the slug of the next page's first item; empty on the last page: left out.
void write_paging(JsonWriter& json, std::string_view next, uint32_t limit, size_t total);

}  // namespace ringpost::dialect::bitrise
