#pragma once

#include "base/clock.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace ringpost::control {

/// How long the events of organizations are kept, of those that have an age of their own
/// (`[organizations.NAME] retention_age`).
using OrganizationAges = std::map<std::string, Duration, std::less<>>;

/// By which an organization is known where there is no room for its name.
enum class OrganizationKey : uint64_t { unknown = 0 };
inline OrganizationKey key_of_organization(std::string_view name) {
  return OrganizationKey{std::hash<std::string_view>{}(name) | 1};
}

/// Whose a webhook is. Empty: nobody knows.
using OwnerOf = std::function<OrganizationKey(uint32_t webhook_number)>;
inline OrganizationKey owner_of(const OwnerOf& known, uint32_t webhook_number) {
  return known ? known(webhook_number) : OrganizationKey::unknown;
}

}  // namespace ringpost::control
