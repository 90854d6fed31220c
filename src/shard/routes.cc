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

/// Where senders of CloudEvents post that know of no path.
constexpr std::string_view root = "/";

/// Calls of git hosts are not part of the API: each host decides what they look like.
constexpr std::array call_routes = {
    open_route(OwnOperation::call_accept, "POST", "/in/{host}/{token}"),
    open_route(OwnOperation::call_accept, "POST", "/h/{service}/{app}/{token}"),
    open_route(OwnOperation::call_accept, "POST", "/deliver/{token}"),
};

}  // namespace

std::span<const api::Route> own_routes() {
  return routes;
}

OwnRoute own_route(std::string_view method, std::string_view path, const ingest::Serves& serves) {
  if (serves.cloudevents && path == root) {
    if (method == "POST") return {OwnOperation::events_accept, {}};
    if (!serves.console) return {OwnOperation::wrong_method, {.allow = "POST"}};
    return {};
  }
  const bool is_call =
      path.starts_with("/in/") || path.starts_with("/h/") || path.starts_with("/deliver/");
  if (!serves.events && (is_call || path == events_path)) return {};
  const std::span<const api::Route> table = is_call ? std::span{call_routes} : own_routes();
  const auto found = api::find_route(table, method, path);
  if (const auto* match = std::get_if<api::Match>(&found)) {
    return {static_cast<OwnOperation>(match->route->operation), {}};
  }
  const auto* wrong = std::get_if<api::WrongMethod>(&found);
  if (wrong == nullptr) return {};
  if (path != events_path || !serves.api) return {OwnOperation::wrong_method, *wrong};
  // The control thread lists events there.
  if (method == "GET" || method == "HEAD") return {};
  return {OwnOperation::wrong_method, {.allow = "GET, HEAD, POST"}};
}

}  // namespace ringpost::shard
