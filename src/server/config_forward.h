#pragma once

#include "server/config_section.h"

namespace ringpost::server {

/// Reads `[forward]`, with the files that it names.
void read_forward(Section section, Config& config);

}  // namespace ringpost::server
