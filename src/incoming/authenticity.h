#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "http/message.h"
#include "subscription/git_source.h"

#include <chrono>

namespace ringpost::incoming {

/// How far a signed time may be from ours, where a host signs one.
inline constexpr Duration signed_time_tolerance = std::chrono::minutes(5);

/// Whether a call was made by who knows the source's secret, or the one before while that is good,
/// by the rule of its host (README.md, "Authenticity"). A trigger without a secret takes calls of
/// anybody who knows its path. Takes the same time wherever a wrong
/// signature differs.
/// @param json  the JSON text of the body: what Gitea, Forgejo and Gogs sign. All others sign the
///              body as it was sent.
bool authentic(const subscription::GitSource& source, const http::Request& request, Bytes json,
               WallTime now);

}  // namespace ringpost::incoming
