#pragma once

#include "api/json_body.h"
#include "api/webhook_fields.h"
#include "base/json_writer.h"
#include "control/receiver_notes.h"
#include "subscription/token.h"
#include "subscription/webhook.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ringpost::control {

using api::invalid;
using api::JsonBody;
using api::member_names;
using api::Problem;
using api::read;
using api::read_array;
using api::read_object;
using api::refusal;

/// Questions that only other layers can answer. Each returns why not, as a sentence part ("is a
/// private address"), or nothing if all is well.
struct WebhookChecks {
  std::function<std::optional<std::string>(const subscription::Destination&)> allow_destination;
  std::function<std::optional<std::string>(std::string_view pem)> check_ca;
};

/// Makes a webhook of the body of a create request. Number, id and times are left to the caller;
/// `webhook.organization` is the caller's, unless the body names another. A `standard` webhook
/// without a secret gets a fresh one.
/// @param by  its creator.
std::optional<Problem> create_webhook(JsonBody& body, const WebhookChecks& checks,
                                      const subscription::Token& by,
                                      subscription::Webhook& webhook);

/// Changes a webhook by the rules of JSON merge patch (RFC 7396): what is absent stays, null brings
/// the default back, objects merge. On a Problem `webhook` is half changed: throw it away.
/// @param by  who changes it.
std::optional<Problem> patch_webhook(JsonBody& body, const WebhookChecks& checks,
                                     const subscription::Token& by, subscription::Webhook& webhook);

/// Whether the webhook's dialect takes this secret.
std::optional<Problem> check_secret(std::string_view dialect, std::string_view secret);

/// Writes the webhook as an object. The secret only if `with_secret`: in the answer that made it.
/// @param receiver  what is known of its receiver.
/// @param warnings  as `warnings_of`.
/// Headers that carry credentials never show their values; a change that sends the mask back leaves
/// them as they are.
void write_webhook(JsonWriter& json, const subscription::Webhook& webhook, bool with_secret,
                   const ReceiverNote& receiver = {}, std::span<const std::string> warnings = {});

}  // namespace ringpost::control
