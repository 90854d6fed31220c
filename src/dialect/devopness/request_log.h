#pragma once

#include "api/management.h"
#include "base/json_writer.h"
#include "dialect/devopness/hook.h"
#include "subscription/webhook.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace ringpost::dialect::devopness {

inline constexpr size_t logged_requests_max = 100;
inline constexpr Duration logged_for_max = std::chrono::hours(24 * 30);
inline constexpr size_t logged_body_bytes_max = 16 * 1024;

/// One hook request: an attempt of an outgoing hook's delivery, or a call of an incoming hook.
struct HookRequest {
  /// Borrowed, as the delivery's parts are.
  const api::LoggedDelivery* delivery = nullptr;
  const journal::OutcomeView* attempt = nullptr;  ///< Null: a call.
};

WallTime time_of(const HookRequest& request);

/// What a log of deliveries holds, newest first: at most logged_requests_max, none older than
/// logged_for_max.
std::vector<HookRequest> requests_of(const Hook& hook, const std::vector<api::LoggedDelivery>& log,
                                     WallTime now);

/// A hook request found by its id, with the delivery that it belongs to.
struct FoundRequest {
  api::LoggedDelivery delivery;
  const subscription::Webhook* webhook = nullptr;
  uint32_t attempt = 1;
};
/// Only a webhook of `dialect` has hook requests.
std::optional<FoundRequest> find_request(api::Management& management, std::string_view organization,
                                         std::string_view dialect, const Ulid& id);
/// The request among the delivery's own; nothing if its record is gone.
std::optional<HookRequest> request_in(const Hook& hook, const FoundRequest& found);

enum class RequestShape : uint8_t { relation, full };

/// Writes the object of the API.
/// @param base_url  for the hook in the full shape.
void write_request(JsonWriter& json, const subscription::Webhook& webhook, const Hook& hook,
                   const HookRequest& request, RequestShape shape, std::string_view base_url);

/// A body as the log shows it: a JSON object as it is, anything else as `{"raw": text}`, cut at
/// logged_body_bytes_max.
void write_logged_body(JsonWriter& json, std::string_view body);

}  // namespace ringpost::dialect::devopness
