#pragma once

#include "dialect/buildkite/settings.h"
#include "subscription/event_rule.h"
#include "subscription/webhook.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::dialect::buildkite {

/// What the scope asks of an event besides a source (specification 5.2); null: nothing.
///
/// Builds and jobs have to be of a pipeline in scope. Agents and cluster tokens have no pipeline:
/// only a scope of clusters keeps them out, and only where the event tells its cluster. A ping from
/// a producer is nobody's. An empty scope, and settings that cannot be read, let nothing through.
std::unique_ptr<const subscription::EventRule> make_scope_rule(
    const subscription::Webhook& webhook);

/// As Dialect::why_nothing_matches.
std::string why_scope_matches_nothing(const subscription::Webhook& webhook);

/// Where events of a type keep branch and cluster; nothing if the type is not Buildkite's.
std::optional<subscription::EventFacts::RoutingPaths> routing_of(std::string_view type);

/// `pipeline/<id>` and `pipeline/<slug>` of a build's or job's event.
void add_pipeline_names(const subscription::EventFacts& event, std::vector<std::string>& names);
/// Whether a source may be one of these.
bool is_pipeline_name(std::string_view source);

}  // namespace ringpost::dialect::buildkite
