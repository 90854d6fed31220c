#pragma once

#include "api/management.h"
#include "api/problem.h"
#include "subscription/webhook.h"

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

namespace ringpost {
class JsonWriter;
}

namespace ringpost::dialect::buildkite {

/// One thing that is wrong with a request's body.
struct FieldError {
  std::string field;    ///< As a path: `settings.url`.
  std::string code;     ///< `missing_field`, `invalid`, `unknown_field` or `read_only`.
  std::string message;  ///< Why, as a sentence part.
};

/// What a webhook of this dialect is before anybody has said anything about it: section 6's rules
/// of delivery, and every event.
subscription::Webhook default_webhook();

/// Why a token cannot be used; empty if it can. It goes into a header as it is.
std::string_view object_to_token(std::string_view token);

/// Writes the notification service (specification 2.1).
void write_service(JsonWriter& json, const subscription::Webhook& webhook,
                   std::string_view base_url);

/// Makes a webhook of the body of a create request (specification 2.2), or finds all that is wrong.
/// `webhook` is `default_webhook()` with its settings set.
std::vector<FieldError> create_service(simdjson::dom::object body,
                                       const api::Management& management,
                                       subscription::Webhook& webhook);

/// Changes what the body names, also inside `settings` and `build_states`. What cannot be changed
/// may be there with the value that it has. If something is wrong, `webhook` is half changed.
/// @param base_url  as in the answer that the caller has seen: part of the object's own URL.
std::vector<FieldError> update_service(simdjson::dom::object body,
                                       const api::Management& management, std::string_view base_url,
                                       subscription::Webhook& webhook);

/// `2031-05-04T09:08:07.123Z`.
std::string to_milliseconds(WallTime time);

}  // namespace ringpost::dialect::buildkite
