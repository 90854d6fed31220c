#pragma once

#include "api/answer.h"
#include "api/call.h"
#include "api/management.h"
#include "api/route.h"

#include <span>
#include <string>

namespace ringpost::dialect::devopness {

/// Devopness' management API, and the URLs at which incoming hooks are called.
std::span<const api::Route> routes();
bool owns_path(std::string_view path);
api::Answer handle(const api::Route& route, const api::Call& call, api::Management& management);

/// The groups that lists ask for.
std::string pipeline_group(int64_t id);
std::string application_group(int64_t id);

}  // namespace ringpost::dialect::devopness
