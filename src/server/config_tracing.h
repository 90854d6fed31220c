#pragma once

#include "server/config_section.h"

namespace ringpost::server {

/// Reads `[tracing]`, with the files that it names.
void read_tracing(Section section, Config& config);

}  // namespace ringpost::server
