#pragma once

#include "ingest/known_hosts.h"
#include "net/own_addresses.h"
#include "server/config.h"

#include <memory>
#include <string>
#include <vector>

namespace ringpost::server {

/// What this machine calls itself, if that can be the host of a URL; empty otherwise.
std::string machine_name();

/// By which names the relay goes: `server.hosts`, the host of `server.public_url`, and the
/// machine's name.
std::shared_ptr<const ingest::KnownHosts> known_hosts(const Config& config);

/// What of this machine leads to the relay: its listeners, the addresses that the machine has now,
/// the host of `server.public_url`, and the names of `server.hosts`.
/// @param listeners  as they are bound.
net::OwnAddresses::Content own_addresses(const Config& config, std::vector<io::Address> listeners);

}  // namespace ringpost::server
