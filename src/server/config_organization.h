#pragma once

#include "server/config_section.h"

namespace ringpost::server {

/// Reads each `[organizations.NAME]`. @param config  the journal's age has been read.
void read_organizations(Section& root, Config& config, Problems& problems);

}  // namespace ringpost::server
