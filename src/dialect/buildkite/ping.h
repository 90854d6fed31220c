#pragma once

#include "subscription/webhook.h"

#include <string>
#include <string_view>

namespace ringpost::dialect::buildkite {

/// Where the API of an organization lies: `<base>/v2/organizations/<slug>`.
std::string organization_url(std::string_view base_url, std::string_view slug);

/// The body of a `ping` (specification 3.3): service, organization and sender.
/// @param base_url  as Call::base_url.
std::string ping_body(const subscription::Webhook& webhook, std::string_view base_url);

/// What Buildkite's objects are called in its GraphQL API: `User---<uuid>` in base64.
std::string graphql_id(std::string_view kind, std::string_view uuid);

}  // namespace ringpost::dialect::buildkite
