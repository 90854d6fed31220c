#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// What a subscription may say, and what it means. The API validates with the same functions that
// the snapshot matches with, so that nothing is accepted that could never match.
//
//   source   `app/c0ffee`   exactly this source
//            `app/*`        every source of the kind `app`: those that begin with `app/`
//            `*`            every source of the organization
//   event    `build/done`   exactly this type
//            `build/*`      every type that begins with `build/` and goes on; `build.*` likewise
//            `*`            every type
//
// A type of CDEvents ends with a version, `dev.cdevents.pipelinerun.finished.0.2.0`; as an exact
// pattern its name without the version is good for all of them.
//
// A source has one kind, the part before its first slash: `resource/server/7` is of the kind
// `resource`, not of `resource/server`. So a lookup is three probes, however deep the name.

namespace ringpost::subscription {

inline constexpr size_t source_bytes_max = 256;
inline constexpr size_t event_type_bytes_max = 256;
inline constexpr size_t organization_bytes_max = 128;

/// Why a text cannot be used, as a part of a sentence ("is empty"); empty if it can be.
/// Points to static text.
using Objection = std::string_view;

/// The name of a source or an event type: not empty, not too long, printable UTF-8
/// (spaces inside are fine, at the ends they are not: `ci` and `ci ` must not be two names).
Objection object_to_name(std::string_view text, size_t bytes_max);
/// An organization's name is part of paths (`/v2/organizations/{org}`) and decides who sees what,
/// so no two of them look alike: `[a-z0-9][a-z0-9._-]*` (reliability A-5).
Objection object_to_organization(std::string_view text);
/// For Webhook::sources.
Objection object_to_source_pattern(std::string_view pattern);
/// For Webhook::events.
Objection object_to_event_pattern(std::string_view pattern);

/// The kind's pattern length: `app/` of `app/x`; 0 if the source has no kind.
size_t kind_prefix_size(std::string_view source);

/// A CDEvents type (specification 0.4: `dev.cdevents.<subject>.<predicate>.<version>`) without its
/// version, which is `MAJOR.MINOR.PATCH` and may go on with `-` and a suffix. Empty if the type
/// does not begin with `dev.cdevents.`, has no version, or is nothing but one. Points into `type`.
std::string_view unversioned_type(std::string_view type);

bool source_matches(std::string_view pattern, std::string_view source);
bool event_matches(std::string_view pattern, std::string_view type);
bool any_event_matches(const std::vector<std::string>& patterns, std::string_view type);

}  // namespace ringpost::subscription
