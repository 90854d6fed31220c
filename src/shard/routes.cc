#include "shard/routes.h"

#include <array>

namespace ringpost::shard {

using api::Access;
using subscription::Scope;

namespace {

constexpr api::Route open_route(OwnOperation operation, std::string_view method,
                                std::string_view path) {
  return {static_cast<uint16_t>(operation), method, path, Scope{}, Access::open};
}

constexpr std::string_view events_path = "/v1/events";

constexpr std::array routes = {
    api::Route{static_cast<uint16_t>(OwnOperation::events_accept), "POST", events_path,
               Scope::events_write, Access::token},
    open_route(OwnOperation::health_show, "GET", "/healthz"),
    open_route(OwnOperation::readiness_show, "GET", "/readyz"),
};

}  // namespace

std::span<const api::Route> own_routes() {
  return routes;
}

OwnRoute own_route(std::string_view method, std::string_view path, const ingest::Serves& serves) {
  if (!serves.events && path == events_path) return {};
  const auto found = api::find_route(routes, method, path);
  if (const auto* match = std::get_if<api::Match>(&found)) {
    return {static_cast<OwnOperation>(match->route->operation), {}};
  }
  if (const auto* wrong = std::get_if<api::WrongMethod>(&found)) {
    return {OwnOperation::wrong_method, *wrong};
  }
  return {};
}

}  // namespace ringpost::shard
