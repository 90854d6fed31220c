#pragma once

#include "server/config_section.h"

namespace ringpost::server {

/// Reads a `[[user]]`.
void read_user(const toml::table& table, Config& config, Problems& problems);

}  // namespace ringpost::server
