#pragma once

#include "http/authorization.h"
#include "http/message.h"
#include "subscription/table.h"

#include <string_view>
#include <variant>

namespace ringpost::control {

/// Where an API takes tokens from.
struct TokenPlaces {
  http::TokenForm form = http::TokenForm::bearer;
  std::string_view other_header;  ///< See http::presented_token.
};

/// Finds the token of `Authorization: Bearer <token>` (RFC 6750), or where else the API takes it
/// from, and asks whether it allows `scope`.
/// @returns the token, valid until the table's next publish, or the answer that refuses: 401 with
///          WWW-Authenticate, the same for a missing, a malformed and an unknown token but for the
///          error code, or 403.
std::variant<const subscription::Token*, http::Response> authenticate(
    const http::Request& request, const subscription::Snapshot& snapshot, subscription::Scope scope,
    const TokenPlaces& places = {});

}  // namespace ringpost::control
