#pragma once

#include "base/clock.h"
#include "http/message.h"
#include "io/address.h"
#include "subscription/token.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::api {

/// A request to a management API that has passed authentication and routing.
struct Call {
  const http::Request& request;
  /// Who calls; null on a route that is open to anybody. Good for the call.
  const subscription::Token* token = nullptr;
  std::string organization;             ///< The token's; empty without one.
  std::vector<std::string> parameters;  ///< What stood for the path's placeholders, in order.
  std::string base_url;  ///< How the caller reaches this relay: scheme and authority, no slash.
  const io::Address* peer = nullptr;  ///< Where the call came from.
  /// The networks that the relay's own requests come from, as configured.
  std::span<const std::string> webhook_ips{};
  WallTime now{};
  /// Of events that it makes (http::read_hops): a webhook may lead to this API, too.
  uint32_t hops = 0;

  std::string_view id() const { return parameters.empty() ? std::string_view{} : parameters[0]; }
};

}  // namespace ringpost::api
