#pragma once

#include "net/own_addresses.h"
#include "server/config.h"
#include "shard/relay.h"

#include <memory>
#include <optional>
#include <string>

namespace ringpost::server {

// What the parts of a relay take of the configuration, at its start and at each reload.

/// @param own  the relay's own addresses, which are no destinations unless the configuration says
///             so.
/// @returns nothing, with `why`, if a network is none: load_config has refused that.
std::optional<shard::LiveSettings> live_settings(
    const Config& config, const std::shared_ptr<const net::OwnAddresses>& own, std::string& why);
control::Control::Settings control_settings(const Config& config);

}  // namespace ringpost::server
