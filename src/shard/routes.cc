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

constexpr std::array routes = {
    api::Route{static_cast<uint16_t>(OwnOperation::events_accept), "POST", "/v1/events",
               Scope::events_write, Access::token},
    open_route(OwnOperation::health_show, "GET", "/healthz"),
    open_route(OwnOperation::health_show, "HEAD", "/healthz"),
    open_route(OwnOperation::readiness_show, "GET", "/readyz"),
    open_route(OwnOperation::readiness_show, "HEAD", "/readyz"),
};

}  // namespace

std::span<const api::Route> own_routes() {
  return routes;
}

OwnOperation own_operation(std::string_view method, std::string_view path,
                           const ingest::Serves& serves) {
  for (const api::Route& route : routes) {
    if (route.pattern != path || route.method != method) continue;
    const auto operation = static_cast<OwnOperation>(route.operation);
    const bool served = serves.events || operation != OwnOperation::events_accept;
    return served ? operation : OwnOperation::none;
  }
  return OwnOperation::none;
}

}  // namespace ringpost::shard
