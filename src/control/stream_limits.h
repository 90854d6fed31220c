#pragma once

#include <cstdint>

namespace ringpost::control {

/// How many live streams there may be (`GET /v1/stream`).
struct StreamLimits {
  uint32_t count_max = 100;
  uint32_t per_organization_max = 20;
};

}  // namespace ringpost::control
