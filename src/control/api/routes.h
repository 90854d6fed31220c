#pragma once

#include "api/route.h"

#include <cstdint>
#include <span>

namespace ringpost::control {

/// What a request to the management API asks for.
enum class Operation : uint16_t {
  webhook_create,
  webhook_list,
  webhook_show,
  webhook_update,
  webhook_delete,
  webhook_enable,
  webhook_disable,
  webhook_rotate_secret,
  webhook_ping,
  webhook_deliveries,
  webhook_totals,
  webhook_replay,
  totals_show,
  delivery_list,
  delivery_show,
  delivery_redeliver,
  delivery_download,
  stream_open,
  listener_create,
  listener_stream,
  listener_answer,
  replay_start,
  replay_list,
  replay_show,
  replay_pause,
  replay_resume,
  replay_cancel,
  event_list,
  dry_run,
  webhook_dry_run,
  preview,
  webhook_preview,
  event_show,
  source_create,
  source_list,
  source_show,
  source_update,
  source_delete,
  source_rotate_secret,
  source_register,
  source_gaps,
  status_show,
  metrics_show,
  session_create,
  session_show,
  session_delete,
  session_link_create,
  session_link_use,
  session_sign_in,
  session_password,
  session_list,
  session_delete_one,
  token_create,
  token_list,
  token_delete,
  user_create,
  user_list,
  user_show,
  user_update,
  user_delete,
  audit_list,
  forward_show,
  forward_set_aside,
  forward_send_again,
  forward_drop,
  configuration_reload,
  configuration_show,
  openapi_show,
};

/// The native API's table.
std::span<const api::Route> native_routes();

}  // namespace ringpost::control
