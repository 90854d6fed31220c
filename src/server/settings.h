#pragma once

#include "server/config.h"
#include "shard/relay.h"

#include <optional>
#include <string>

namespace ringpost::server {

// What the parts of a relay take of the configuration, at its start and at each reload.

/// @returns nothing, with `why`, if a network is none: load_config has refused that.
std::optional<shard::LiveSettings> live_settings(const Config& config, std::string& why);
control::Control::Settings control_settings(const Config& config);

}  // namespace ringpost::server
