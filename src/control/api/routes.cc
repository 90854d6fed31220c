#include "control/api/routes.h"

#include <array>
#include <optional>

namespace ringpost::control {

using subscription::Scope;

namespace {

constexpr std::array routes = {
    Route{Operation::webhook_create, "POST", "/v1/webhooks", Scope::webhooks_write},
    Route{Operation::webhook_list, "GET", "/v1/webhooks", Scope::webhooks_read},
    Route{Operation::webhook_show, "GET", "/v1/webhooks/{id}", Scope::webhooks_read},
    Route{Operation::webhook_update, "PATCH", "/v1/webhooks/{id}", Scope::webhooks_write},
    Route{Operation::webhook_delete, "DELETE", "/v1/webhooks/{id}", Scope::webhooks_write},
    Route{Operation::webhook_enable, "POST", "/v1/webhooks/{id}/enable", Scope::webhooks_write},
    Route{Operation::webhook_disable, "POST", "/v1/webhooks/{id}/disable", Scope::webhooks_write},
    Route{Operation::webhook_rotate_secret, "POST", "/v1/webhooks/{id}/rotate-secret",
          Scope::webhooks_write},
    Route{Operation::webhook_deliveries, "GET", "/v1/webhooks/{id}/deliveries",
          Scope::deliveries_read},
    Route{Operation::delivery_show, "GET", "/v1/deliveries/{id}", Scope::deliveries_read},
    Route{Operation::delivery_redeliver, "POST", "/v1/deliveries/{id}/redeliver",
          Scope::deliveries_redeliver},
    Route{Operation::event_show, "GET", "/v1/events/{rest}", Scope::deliveries_read},
    Route{Operation::status_show, "GET", "/v1/status", Scope::admin},
    Route{Operation::token_create, "POST", "/v1/tokens", Scope::admin},
    Route{Operation::token_list, "GET", "/v1/tokens", Scope::admin},
    Route{Operation::token_delete, "DELETE", "/v1/tokens/{id}", Scope::admin},
    Route{Operation::audit_list, "GET", "/v1/audit", Scope::admin},
};

/// What stands for the pattern's placeholder ("" if it has none), or nothing if it does not match.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const size_t open = pattern.find('{');
  if (open == std::string_view::npos) {
    if (path != pattern) return std::nullopt;
    return std::string_view{};
  }
  const std::string_view before = pattern.substr(0, open);
  const std::string_view after = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= before.size() + after.size()) return std::nullopt;
  if (!path.starts_with(before) || !path.ends_with(after)) return std::nullopt;
  const std::string_view id =
      path.substr(before.size(), path.size() - before.size() - after.size());
  const bool takes_slashes = pattern.substr(open).starts_with("{rest}");
  if (!takes_slashes && id.find('/') != std::string_view::npos) return std::nullopt;
  return id;
}

}  // namespace

std::variant<Match, NoSuchPath, WrongMethod> find_route(std::string_view method,
                                                        std::string_view path) {
  std::string allow;
  for (const Route& route : routes) {
    const auto id = match(route.pattern, path);
    if (!id) continue;
    if (route.method == method) return Match{&route, std::string{*id}};
    if (!allow.empty()) allow += ", ";
    allow += route.method;
  }
  if (allow.empty()) return NoSuchPath{};
  return WrongMethod{allow};
}

}  // namespace ringpost::control
