#pragma once

#include "api/answer.h"
#include "api/call.h"
#include "api/management.h"
#include "api/rate.h"
#include "api/route.h"

#include <span>
#include <string_view>

namespace ringpost::dialect::buildkite {

// The API of notification services (specification 2), and `GET /v2/meta`. Two paths more, for the
// request log that Buildkite shows on a page only, are extensions of ours (request_log.h).

std::span<const api::Route> service_routes();
bool owns_service_path(std::string_view path);
api::Answer handle_service(const api::Route& route, const api::Call& call,
                           api::Management& management);

/// `{"message": …}`; for a value that breaks a rule `Validation Failed`, with the field named.
http::Response refuse_call(const api::Problem& problem);

/// `RateLimit-*` for the organization, `RateLimit-User-*` for the token.
void write_rate_headers(const api::Rate& rate, http::Response& response);
http::Response refuse_over_rate(const api::Rate& rate);

}  // namespace ringpost::dialect::buildkite
