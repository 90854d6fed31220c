#pragma once

#include "base/clock.h"

#include <functional>
#include <map>
#include <string>

namespace ringpost::control {

/// How long the events of organizations are kept, of those that have an age of their own
/// (`[organizations.NAME] retention_age`).
using OrganizationAges = std::map<std::string, Duration, std::less<>>;

}  // namespace ringpost::control
