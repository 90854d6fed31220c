#pragma once

#include "server/config_section.h"

namespace ringpost::server {

/// Reads a `[[listener]]`, with its certificate.
void read_listener(const toml::table& table, Config& config, Problems& problems);

/// Why nobody can listen there, or not beside those before it; empty if it can. The start would
/// fail.
std::string object_to_listener(const io::Address& address,
                               const std::vector<ListenerConfig>& before);

}  // namespace ringpost::server
