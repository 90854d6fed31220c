#pragma once

#include "http/message.h"
#include "subscription/table.h"

#include <variant>

namespace ringpost::control {

/// Finds the token of `Authorization: Bearer <token>` (RFC 6750) and asks whether it allows
/// `scope`.
/// @returns the token, valid until the table's next publish, or the answer that refuses: 401 with
///          WWW-Authenticate, the same for a missing, a malformed and an unknown token but for the
///          error code, or 403.
std::variant<const subscription::Token*, http::Response> authenticate(
    const http::Request& request, const subscription::Snapshot& snapshot,
    subscription::Scope scope);

}  // namespace ringpost::control
