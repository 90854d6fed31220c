#pragma once

#include "json/path.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The words of the Devopness API: what its enumerations hold, and what a hook can name.

namespace ringpost::dialect::devopness {

inline constexpr std::array<std::string_view, 12> action_types{
    "check_provisioned", "configure",  "delete", "deploy",
    "get_status",        "provision",  "reload", "remove",
    "restart",           "rotate_key", "start",  "stop"};

inline constexpr std::array<std::string_view, 13> resource_types{
    "application",     "credential",   "cronjob",     "daemon",  "deployment",
    "network",         "network-rule", "server",      "service", "ssh-key",
    "ssl-certificate", "subnet",       "virtual-host"};

/// What the API shows of a hook that nobody gave an operation or a resource: these members always
/// hold one of the words. They decide on nothing: the pipeline is what identifies such a hook.
inline constexpr std::string_view action_type_unsaid = "deploy";
inline constexpr std::string_view resource_type_unsaid = "application";

/// The events of an outgoing hook; bit n of a set of events is the n-th of them.
inline constexpr std::array<std::string_view, 5> event_names{"action.status_changed",
                                                             "action.queued", "action.started",
                                                             "action.completed", "action.failed"};

/// That an action was made is no change of its status: no hook is sent for it.
inline constexpr std::string_view action_created = "action.created";

/// As a list with commas.
std::string list_of(std::span<const std::string_view> names);

using EventSet = uint8_t;

/// The event's bit; 0 for a name that is none.
EventSet event_bit(std::string_view name);

/// What a change to `status` is. A status that nobody documents is still a change; no status is
/// none.
EventSet events_of_status(std::string_view status);

/// The first names that a template or a condition may use: the action, the hook, the user, and
/// the resource by its type, with `deployment` beside an application. Without a known resource
/// type, all types.
std::vector<std::string_view> roots_for(std::string_view resource_type);

/// Whether the name is a resource's, whose relations cannot be reached. (`deployment` is not one:
/// what is documented of it lies deeper.)
bool is_resource(std::string_view root);

/// Whether the path leads through a resource to one of its relations: `daemon.project.name`. The
/// one relation that can be named is `application.source_provider.access_token`.
bool leads_to_relation(const json::Path& path);

/// What is never shown: the token above, and `hook.secret`.
std::span<const json::Path> secret_paths();
}  // namespace ringpost::dialect::devopness
