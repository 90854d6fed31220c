#include "control/api/routes.h"

#include "control/messages.h"

#include <array>

namespace ringpost::control {

using subscription::Scope;

namespace {

constexpr api::Route route(Operation operation, std::string_view method, std::string_view pattern,
                           Scope scope) {
  return {static_cast<uint16_t>(operation), method, pattern, scope};
}

constexpr api::Route open_route(Operation operation, std::string_view method,
                                std::string_view pattern) {
  return {static_cast<uint16_t>(operation), method, pattern, Scope{}, api::Access::open};
}

constexpr std::array routes = {
    route(Operation::webhook_create, "POST", "/v1/webhooks", Scope::webhooks_write),
    route(Operation::webhook_list, "GET", "/v1/webhooks", Scope::webhooks_read),
    route(Operation::dry_run, "POST", "/v1/dry-run", Scope::deliveries_read),
    route(Operation::webhook_dry_run, "POST", "/v1/webhooks/{id}/dry-run", Scope::deliveries_read),
    route(Operation::preview, "POST", "/v1/preview", Scope::deliveries_read),
    route(Operation::webhook_preview, "POST", "/v1/webhooks/{id}/preview", Scope::deliveries_read),
    route(Operation::webhook_show, "GET", "/v1/webhooks/{id}", Scope::webhooks_read),
    route(Operation::webhook_update, "PATCH", "/v1/webhooks/{id}", Scope::webhooks_write),
    route(Operation::webhook_delete, "DELETE", "/v1/webhooks/{id}", Scope::webhooks_write),
    route(Operation::webhook_enable, "POST", "/v1/webhooks/{id}/enable", Scope::webhooks_write),
    route(Operation::webhook_disable, "POST", "/v1/webhooks/{id}/disable", Scope::webhooks_write),
    route(Operation::webhook_rotate_secret, "POST", "/v1/webhooks/{id}/rotate-secret",
          Scope::webhooks_write),
    route(Operation::webhook_ping, "POST", "/v1/webhooks/{id}/ping", Scope::webhooks_write),
    route(Operation::webhook_deliveries, "GET", "/v1/webhooks/{id}/deliveries",
          Scope::deliveries_read),
    route(Operation::webhook_totals, "GET", "/v1/webhooks/{id}/totals", Scope::deliveries_read),
    route(Operation::webhook_replay, "POST", "/v1/webhooks/{id}/replay",
          Scope::deliveries_redeliver),
    route(Operation::totals_show, "GET", "/v1/totals", Scope::deliveries_read),
    route(Operation::delivery_list, "GET", "/v1/deliveries", Scope::deliveries_read),
    route(Operation::delivery_show, "GET", "/v1/deliveries/{id}", Scope::deliveries_read),
    route(Operation::delivery_redeliver, "POST", "/v1/deliveries/{id}/redeliver",
          Scope::deliveries_redeliver),
    route(Operation::delivery_download, "GET", "/v1/deliveries/{id}/body", Scope::deliveries_read),
    route(Operation::stream_open, "GET", "/v1/stream", Scope::deliveries_read),
    route(Operation::listener_create, "POST", "/v1/listeners", Scope::webhooks_write),
    route(Operation::listener_stream, "GET", "/v1/listeners/{id}/stream", Scope::webhooks_write),
    route(Operation::listener_answer, "POST", "/v1/listeners/{id}/answers/{delivery}",
          Scope::webhooks_write),
    route(Operation::replay_start, "POST", "/v1/replays", Scope::deliveries_redeliver),
    route(Operation::replay_list, "GET", "/v1/replays", Scope::deliveries_read),
    route(Operation::replay_show, "GET", "/v1/replays/{id}", Scope::deliveries_read),
    route(Operation::replay_pause, "POST", "/v1/replays/{id}/pause", Scope::deliveries_redeliver),
    route(Operation::replay_resume, "POST", "/v1/replays/{id}/resume", Scope::deliveries_redeliver),
    route(Operation::replay_cancel, "POST", "/v1/replays/{id}/cancel", Scope::deliveries_redeliver),
    route(Operation::event_list, "GET", "/v1/events", Scope::deliveries_read),
    route(Operation::event_show, "GET", "/v1/events/{id...}", Scope::deliveries_read),
    route(Operation::source_create, "POST", "/v1/sources", Scope::webhooks_write),
    route(Operation::source_list, "GET", "/v1/sources", Scope::webhooks_read),
    route(Operation::source_show, "GET", "/v1/sources/{id}", Scope::webhooks_read),
    route(Operation::source_update, "PATCH", "/v1/sources/{id}", Scope::webhooks_write),
    route(Operation::source_delete, "DELETE", "/v1/sources/{id}", Scope::webhooks_write),
    route(Operation::source_rotate_secret, "POST", "/v1/sources/{id}/rotate-secret",
          Scope::webhooks_write),
    route(Operation::source_register, "POST", "/v1/sources/{id}/register", Scope::webhooks_write),
    route(Operation::source_gaps, "GET", "/v1/sources/{id}/gaps", Scope::webhooks_read),
    route(Operation::status_show, "GET", "/v1/status", Scope::admin),
    route(Operation::metrics_show, "GET", metrics_path, Scope::metrics_read),
    route(Operation::session_create, "POST", "/v1/session", Scope{}),
    route(Operation::session_show, "GET", "/v1/session", Scope{}),
    route(Operation::session_delete, "DELETE", "/v1/session", Scope{}),
    route(Operation::session_link_create, "POST", "/v1/session-links", Scope{}),
    open_route(Operation::session_link_use, "POST", "/v1/session-links/use"),
    open_route(Operation::session_sign_in, "POST", "/v1/session/sign-in"),
    route(Operation::session_password, "POST", "/v1/session/password", Scope{}),
    route(Operation::session_list, "GET", "/v1/sessions", Scope{}),
    route(Operation::session_delete_one, "DELETE", "/v1/sessions/{id}", Scope{}),
    route(Operation::token_create, "POST", "/v1/tokens", Scope::admin),
    route(Operation::token_list, "GET", "/v1/tokens", Scope::admin),
    route(Operation::token_delete, "DELETE", "/v1/tokens/{id}", Scope::admin),
    route(Operation::user_create, "POST", "/v1/users", Scope::admin),
    route(Operation::user_list, "GET", "/v1/users", Scope::admin),
    route(Operation::user_show, "GET", "/v1/users/{id}", Scope::admin),
    route(Operation::user_update, "PATCH", "/v1/users/{id}", Scope::admin),
    route(Operation::user_delete, "DELETE", "/v1/users/{id}", Scope::admin),
    route(Operation::audit_list, "GET", "/v1/audit", Scope::admin),
    route(Operation::forward_show, "GET", "/v1/forward", Scope::admin),
    route(Operation::forward_set_aside, "GET", "/v1/forward/set-aside", Scope::admin),
    route(Operation::forward_send_again, "POST", "/v1/forward/set-aside/send-again", Scope::admin),
    route(Operation::forward_drop, "DELETE", "/v1/forward/set-aside", Scope::admin),
    route(Operation::configuration_reload, "POST", "/v1/admin/reload", Scope::admin),
    route(Operation::configuration_show, "GET", "/v1/admin/config", Scope::admin),
    open_route(Operation::openapi_show, "GET", "/v1/openapi.json"),
};

}  // namespace

std::span<const api::Route> native_routes() {
  return routes;
}

}  // namespace ringpost::control
