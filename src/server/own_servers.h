#pragma once

#include "server/config.h"
#include "server/finding.h"

#include <optional>
#include <string_view>

namespace ringpost::server {

/// The servers that the configuration names for the relay itself: the central relay of `[forward]`
/// and the collector of `[tracing]`. Each is tried step by step as the relay would connect, with a
/// request that changes nothing there: who the token belongs to, and a batch without spans. Beside
/// them: client certificates and their ends, and how much waits here for the central relay.
/// Blocks for at most 30 s for each; nothing that is not configured is looked at.
Findings examine_own_servers(const Config& config);

/// What is said of a certificate that is used until `expires_at`; nothing: it is none.
/// @param file    of the certificate.
/// @param remedy  what is to be done in time.
Finding judge_certificate(std::string_view subject, std::string_view file,
                          std::optional<WallTime> expires_at, WallTime now, std::string remedy);

/// The answer of a central relay to `GET /v1/session`: is the token good for forwarding, and how
/// long are ids known there?
Findings judge_session(const Config& config, std::string_view session, WallTime now);

}  // namespace ringpost::server
