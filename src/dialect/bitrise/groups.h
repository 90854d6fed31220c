#pragma once

#include "api/problem.h"
#include "subscription/webhook.h"

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What one subscribes to at Bitrise: groups of events, which the core knows as patterns of types.

namespace ringpost::dialect::bitrise {

/// What a webhook of this dialect keeps besides the members that all dialects share.
struct Settings {
  std::vector<std::string> groups;   ///< As they were given; empty: none were.
  bool registered_by_addon = false;  ///< Made with an add-on's token.
  std::string url_as_sent;           ///< If it had no scheme, which means https; else empty.
};

Settings read_settings(const subscription::Webhook& webhook);
void write_settings(const Settings& settings, subscription::Webhook& webhook);

/// Used unchanged where a URL has no scheme.
inline constexpr std::string_view url_scheme_unsaid = "https://";

inline constexpr size_t groups_max = 16;

/// Reads an array of `all`, `build` and `pipeline`, which is not empty.
std::optional<api::Problem> read_groups(simdjson::dom::element value, std::string_view member,
                                        std::vector<std::string>& groups);

/// Whether events of this type tell about a build, as Bitrise's do.
bool is_build_type(std::string_view type);

/// As Dialect::object_to_event.
std::string object_to_type(std::string_view pattern);

/// The types of these groups, for Webhook::events. `pipeline` has none: no public source names any.
std::vector<std::string> types_of(const std::vector<std::string>& groups);

/// The groups that a webhook is subscribed to: as they were given, or, if it was made or changed
/// by its types, all groups of these types: they may say more than the types do.
std::vector<std::string> groups_of(const subscription::Webhook& webhook);

}  // namespace ringpost::dialect::bitrise
