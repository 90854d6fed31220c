#pragma once

#include "base/json_writer.h"
#include "control/json_body.h"
#include "control/problem.h"
#include "subscription/webhook.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::control {

/// Questions that only other layers can answer. Each returns why not, as a sentence part ("is a
/// private address"), or nothing if all is well.
struct WebhookChecks {
  std::function<std::optional<std::string>(const subscription::Destination&)> allow_destination;
  std::function<std::optional<std::string>(std::string_view pem)> check_ca;
};

/// The bounds of what a webhook may say.
inline constexpr size_t webhook_text_bytes_max = 1024;  ///< Description.
inline constexpr size_t webhook_url_bytes_max = 2048;   ///< Fits any request line limit.
inline constexpr size_t webhook_patterns_max = 256;     ///< Sources; events likewise.
inline constexpr size_t webhook_headers_max = 32;       ///< The whole head stays below 32 KiB.
inline constexpr size_t webhook_header_name_bytes_max = 128;
inline constexpr size_t webhook_header_value_bytes_max = 4096;
inline constexpr size_t webhook_headers_bytes_max = 16 * 1024;
inline constexpr size_t webhook_ca_bytes_max = 64 * 1024;
inline constexpr size_t webhook_secret_bytes_max = 256;
inline constexpr size_t webhook_schedule_max = 32;
inline constexpr uint32_t webhook_schedule_s_max = 7 * 24 * 3600;
inline constexpr uint32_t webhook_timeout_ms_min = 100;
inline constexpr uint32_t webhook_timeout_ms_max = 120'000;
inline constexpr uint32_t webhook_concurrency_max = 256;

/// Makes a webhook of the body of a create request. Number, id and times are left to the caller;
/// `webhook.organization` is the caller's and the body may only repeat it. A `standard` webhook
/// without a secret gets a fresh one.
std::optional<Problem> create_webhook(simdjson::dom::object body, const WebhookChecks& checks,
                                      subscription::Webhook& webhook);

/// Changes a webhook by the rules of JSON merge patch (RFC 7396): what is absent stays, null brings
/// the default back, objects merge. On a Problem `webhook` is half changed: throw it away.
std::optional<Problem> patch_webhook(simdjson::dom::object body, const WebhookChecks& checks,
                                     subscription::Webhook& webhook);

/// A fresh secret of the standard dialect: `whsec_` and base64 of 32 random bytes.
std::string mint_secret();
/// Whether the webhook's dialect takes this secret.
std::optional<Problem> check_secret(subscription::Dialect dialect, std::string_view secret);

/// Whether a request may carry this header because a user says so: a token and a value of visible
/// bytes, and none of the names that the relay or the protocol writes.
std::optional<Problem> check_header(std::string_view member, std::string_view name,
                                    std::string_view value);

/// Writes the webhook as an object. The secret only if `with_secret`: in the answer that made it.
void write_webhook(JsonWriter& json, const subscription::Webhook& webhook, bool with_secret);

}  // namespace ringpost::control
