#pragma once

#include "ingest/known_hosts.h"
#include "server/config.h"

#include <memory>
#include <string>

namespace ringpost::server {

/// What this machine calls itself, if that can be the host of a URL; empty otherwise.
std::string machine_name();

/// By which names the relay goes: `server.hosts`, the host of `server.public_url`, and the
/// machine's name.
std::shared_ptr<const ingest::KnownHosts> known_hosts(const Config& config);

}  // namespace ringpost::server
